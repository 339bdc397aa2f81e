# SPDX-License-Identifier: Apache-2.0
# The libraries ringpost stands on (docs/dependencies.md), each an imported target.  What is missing is
# named with its Debian package, all at once.

set(missing "")

# A library and a header of it become the target `name`.
function(ringpost_library target package header)
	cmake_parse_arguments(ARG "" "" "NAMES;HEADER_PATHS;LIBRARY_PATHS" ${ARGN})
	find_path(${target}_HEADERS ${header} PATHS ${ARG_HEADER_PATHS})
	find_library(${target}_LIBRARY NAMES ${ARG_NAMES} PATHS ${ARG_LIBRARY_PATHS})
	mark_as_advanced(${target}_HEADERS ${target}_LIBRARY)
	if(NOT ${target}_HEADERS OR NOT ${target}_LIBRARY)
		set(missing "${missing}\n  ${package} (${header})" PARENT_SCOPE)
		return()
	endif()
	add_library(${target} UNKNOWN IMPORTED GLOBAL)
	set_target_properties(${target} PROPERTIES
		IMPORTED_LOCATION ${${target}_LIBRARY}
		INTERFACE_INCLUDE_DIRECTORIES ${${target}_HEADERS})
endfunction()

ringpost_library(uring liburing-dev liburing.h NAMES uring)
ringpost_library(yaml libyaml-dev yaml.h NAMES yaml)
ringpost_library(jansson libjansson-dev jansson.h NAMES jansson)
ringpost_library(idn2 libidn2-dev idn2.h NAMES idn2)
# The static one: the shared one brings OpenSSL into the process, whose symbols BoringSSL would capture.
ringpost_library(ldns libldns-dev ldns/ldns.h NAMES libldns.a)
ringpost_library(check check check.h NAMES check)
# A static library, which does not say what it wants.
if(TARGET check)
	set_target_properties(check PROPERTIES INTERFACE_LINK_LIBRARIES "subunit;m;rt")
endif()
if(RINGPOST_JEMALLOC)
	ringpost_library(jemalloc libjemalloc-dev jemalloc/jemalloc.h NAMES jemalloc)
endif()

# Debian keeps BoringSSL beside the system's OpenSSL, in directories of its own.
if(BORINGSSL_ROOT)
	set(boringssl_headers ${BORINGSSL_ROOT}/include)
	set(boringssl_libraries ${BORINGSSL_ROOT}/lib ${BORINGSSL_ROOT}/build/crypto)
else()
	set(boringssl_headers /usr/include/android)
	set(boringssl_libraries /usr/lib/${CMAKE_C_LIBRARY_ARCHITECTURE}/android)
endif()
find_path(boringssl_HEADERS openssl/base.h PATHS ${boringssl_headers} NO_DEFAULT_PATH)
find_library(boringssl_crypto_LIBRARY crypto PATHS ${boringssl_libraries} NO_DEFAULT_PATH)
mark_as_advanced(boringssl_HEADERS boringssl_crypto_LIBRARY)
if(boringssl_HEADERS AND boringssl_crypto_LIBRARY)
	get_filename_component(boringssl_directory ${boringssl_crypto_LIBRARY} DIRECTORY)
	add_library(boringssl_crypto UNKNOWN IMPORTED GLOBAL)
	set_target_properties(boringssl_crypto PROPERTIES
		IMPORTED_LOCATION ${boringssl_crypto_LIBRARY}
		INTERFACE_INCLUDE_DIRECTORIES ${boringssl_HEADERS}
		INTERFACE_LINK_OPTIONS "-Wl,-rpath,${boringssl_directory}")
else()
	set(missing "${missing}\n  android-libboringssl-dev (openssl/base.h of BoringSSL), or -DBORINGSSL_ROOT=...")
endif()

if(missing)
	message(FATAL_ERROR "These libraries are missing; on Debian 12 tools/install installs them:${missing}\n")
endif()

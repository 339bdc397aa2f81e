# SPDX-License-Identifier: Apache-2.0
# How everything here is compiled: one interface target that each folder links.

add_library(ringpost_options INTERFACE)
target_include_directories(ringpost_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(ringpost_options INTERFACE
	_GNU_SOURCE
	RINGPOST_VERSION="${PROJECT_VERSION}"
	$<$<BOOL:${RINGPOST_JEMALLOC}>:RINGPOST_JEMALLOC>
)
target_compile_options(ringpost_options INTERFACE
	-Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes
	-Wwrite-strings -Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough
	-fno-common -fno-strict-aliasing -fno-omit-frame-pointer
	$<$<BOOL:${RINGPOST_WERROR}>:-Werror>
)
# SSE4.2 has CRC-32C; every x86-64 server since 2009 has it, and the code asks at run time.
# Hardening (the distribution's usual set, and more initialisation than it asks).
target_compile_options(ringpost_options INTERFACE
	-fstack-protector-strong
	$<$<C_COMPILER_ID:GNU>:-ftrivial-auto-var-init=zero> # clang 14 wants to be begged for it
	$<$<AND:$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>,$<C_COMPILER_ID:GNU>>:-fcf-protection=full>
	$<$<C_COMPILER_ID:GNU>:-fstack-clash-protection>
)
if(NOT RINGPOST_SANITIZE AND NOT RINGPOST_FUZZ AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
	target_compile_options(ringpost_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
target_link_options(ringpost_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")

if(RINGPOST_SANITIZE STREQUAL "address")
	target_compile_options(ringpost_options INTERFACE
		-fsanitize=address,undefined -fno-sanitize-recover=all)
	target_link_options(ringpost_options INTERFACE -fsanitize=address,undefined)
elseif(RINGPOST_SANITIZE STREQUAL "thread")
	target_compile_options(ringpost_options INTERFACE -fsanitize=thread)
	target_link_options(ringpost_options INTERFACE -fsanitize=thread)
elseif(RINGPOST_SANITIZE)
	message(FATAL_ERROR "RINGPOST_SANITIZE is address, thread or empty, not ${RINGPOST_SANITIZE}")
endif()

if(RINGPOST_FUZZ)
	if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
		message(FATAL_ERROR "RINGPOST_FUZZ needs clang: use the preset fuzz, or -DCMAKE_C_COMPILER=clang")
	endif()
	target_compile_options(ringpost_options INTERFACE
		-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
	target_link_options(ringpost_options INTERFACE -fsanitize=address,undefined)
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
target_link_libraries(ringpost_options INTERFACE Threads::Threads)

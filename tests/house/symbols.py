#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No system call above core/: everything outside the process is reached through core/io.h.

Looks at what the objects of each static library leave undefined.  What is neither ours nor of a library that the folder
may use must be in a short list of functions that only compute; so a new call is a new line here, and whoever adds it
asks whether a reactor may wait in it.
"""
import fnmatch
import os
import re
import subprocess
import sys

BUILD = os.environ.get("RINGPOST_BUILD_DIR") or (sys.argv[1] if len(sys.argv) > 1 else "build/release")

# They only compute, or take memory.
PURE = """
	mem* str* __mem*_chk __str*_chk snprintf vsnprintf __snprintf_chk __vsnprintf_chk __isoc99_sscanf
	malloc calloc realloc reallocarray free aligned_alloc posix_memalign mallctl* mallocx sdallocx rallocx
	qsort bsearch abs labs div ldiv __ctype_* is* to* htons ntohs htonl ntohl gmtime_r timegm inet_ntop inet_pton
	abort __stack_chk_fail __errno_location __cpu_model __cpu_indicator_init __cpu_features* __tls_get_addr
	_GLOBAL_OFFSET_TABLE_ in6addr_* setjmp longjmp __assert_fail
	fmod floor ceil round log log2 exp pow sqrt lround
""".split()
# The compilers' helpers.
COMPILER = "__asan_* __ubsan_* __tsan_* __sanitizer_* __sancov_* __lsan_* __mulo* __udiv* __umod* __popcount* __tsan*".split()

# Library: what it may use beside our own.
FOREIGN = {
    "core": ["mallctl*"],
    "dns": ["ldns_*", "EVP_*", "ERR_*"],
    "tls": ["*"],  # BoringSSL's; its system calls are forbidden by name below
    "smtp": ["idn2_*"],
    "settings": ["idn2_*", "yaml_*"],
    "mta": ["json_*", "jansson_*", "idn2_*"],
}

# Object: what it alone may use, and why.
STDIO = "fprintf __fprintf_chk fputs fputc fwrite fflush putc puts printf __printf_chk stdout stderr"
ALONE = {
    ("core", "base.c"): STDIO,  # the last words of an invariant
    ("core", "reactor.c"): "getpid sched_getaffinity sched_setaffinity __sched_cpucount pthread_setaffinity_np",  # at start
    ("core", "io_uring.c"): "*",  # the seam
    ("core", "io_files.c"): "*",
    # What the command line prints before a reactor runs.
    ("settings", "settings_print.c"): STDIO,
    ("settings", "settings_embedded.c"): STDIO,
}

# Never above the seam, whatever a list of patterns lets through: files, sockets, waiting, names, processes.
FORBIDDEN = """
	read readv pread preadv write writev pwrite open openat creat close fsync fdatasync sync_file_range ftruncate
	rename unlink mkdir rmdir opendir readdir stat fstat lstat access chmod chown
	fopen fdopen freopen fread fgets getline fclose
	socket socketpair connect bind listen accept accept4 send sendto sendmsg recv recvfrom recvmsg shutdown
	setsockopt getsockopt poll ppoll select pselect epoll_*
	getaddrinfo gethostbyname* getnameinfo res_* gethostname getpwnam* getpwuid* getgrnam*
	sleep usleep nanosleep clock_nanosleep pause wait waitpid fork vfork exec* system popen kill
	time clock_gettime gettimeofday localtime* mktime
	random rand srand* rand_r getrandom arc4random* getentropy
	syscall ioctl fcntl mmap munmap mprotect io_uring_* ldns_send* ldns_udp_* ldns_tcp_* ldns_resolver_*
	sem_wait pthread_mutex_lock pthread_cond_wait pthread_create pthread_join
""".split()
MUST_FAIL = ["read", "recv", "fsync", "getaddrinfo", "nanosleep", "io_uring_submit", "epoll_wait", "ldns_send_udp"]


def fits(name, patterns):
    return any(fnmatch.fnmatchcase(name, p) for p in patterns)


def symbols(archive, kind):
    """(object, symbol) for each symbol of an archive that nm shows with this option."""
    listed = subprocess.run(["nm", "-A", "-P", kind, archive], capture_output=True, text=True, check=True).stdout
    for line in listed.split("\n"):
        # build/queue/libqueue.a[commit.c.o]: memcpy U
        match = re.match(r".*\[(.*?)\]: (\S+) (\S)", line)
        if match:
            yield match.group(1).removesuffix(".o"), match.group(2), match.group(3)


def allowed(library, obj, name):
    alone = ALONE.get((library, obj), "").split()
    if fits(name, alone):
        return True
    base = name.removeprefix("__").removesuffix("_chk")
    if fits(name, FORBIDDEN) or fits(base, FORBIDDEN):
        return False
    return fits(name, PURE) or fits(name, COMPILER) or fits(name, FOREIGN.get(library, []))


def main():
    for name in MUST_FAIL:  # the rule must be able to fail
        for library in ("queue", "tls", "dns", "mta"):
            if allowed(library, "x.c", name):
                raise SystemExit(f"symbols.py: the rule about {name} does not hold in {library}")
    archives = {}
    for directory, _, names in os.walk(BUILD):
        for name in names:
            match = re.fullmatch(r"lib(core|core_uring|queue|dns|tls|smtp|settings|mta)\.a", name)
            if match:
                archives[match.group(1)] = os.path.join(directory, name)
    if not archives:
        print(f"no libraries below {BUILD}: build first")
        return 77
    ours = set()
    for archive in archives.values():
        ours |= {name for _, name, kind in symbols(archive, "-g") if kind not in "Uvw"}
    wrongs = looked_at = 0
    for library, archive in sorted(archives.items()):
        if library == "core_uring":
            continue
        for obj, name, kind in symbols(archive, "-u"):
            looked_at += 1
            if name not in ours and not allowed(library, obj, name):
                print(f"{library}/{obj}: {name}")
                wrongs += 1
    print(f"{', '.join(sorted(archives))}: {looked_at} undefined symbols looked at, {wrongs} wrong")
    if wrongs:
        print("A system call goes through core/io.h; a function that only computes goes into PURE in tests/house/symbols.py.")
    return 1 if wrongs or not looked_at else 0


if __name__ == "__main__":
    sys.exit(main())

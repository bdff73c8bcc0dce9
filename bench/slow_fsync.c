/*
 * Makes a disk of known speed: each fsync and fdatasync takes at least SLOW_FSYNC_MS milliseconds longer (3 by default).
 *
 *   gcc -shared -fPIC -O2 -o slow_fsync.so bench/slow_fsync.c -ldl
 *   LD_PRELOAD=$PWD/slow_fsync.so deno run -A bench/sqlite_floor.ts /tmp
 *
 * The servers that a bench starts inherit it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int slowly(const char *name, int fd) {
  int (*call)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  const char *text = getenv("SLOW_FSYNC_MS");
  long ms = text ? atol(text) : 3;
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
  int result = call(fd);
  nanosleep(&pause, NULL);
  return result;
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }

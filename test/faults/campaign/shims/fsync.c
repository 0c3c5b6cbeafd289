/* A disk that is slow or fails, for one process: fsync and fdatasync of files whose path contains a word. The file
   that FAULT_FSYNC names says what happens now: "slow MILLISECONDS WORD", "eio 0 WORD", or nothing at all. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int faulty(int file) {
  const char *control = getenv("FAULT_FSYNC");
  if (!control) return 0;
  FILE *orders = fopen(control, "re");
  if (!orders) return 0;
  char what[16] = "", word[128] = "";
  long milliseconds = 0;
  int read = fscanf(orders, "%15s %ld %127s", what, &milliseconds, word);
  fclose(orders);
  if (read != 3) return 0;
  char name[64], path[4096];
  snprintf(name, sizeof name, "/proc/self/fd/%d", file);
  ssize_t length = readlink(name, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (!strstr(path, word)) return 0;
  if (!strcmp(what, "eio")) {
    errno = EIO;
    return -1;
  }
  struct timespec wait = {milliseconds / 1000, (milliseconds % 1000) * 1000000};
  nanosleep(&wait, NULL);
  return 0;
}

int fsync(int file) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fsync");
  return faulty(file) ? -1 : real(file);
}

int fdatasync(int file) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  return faulty(file) ? -1 : real(file);
}

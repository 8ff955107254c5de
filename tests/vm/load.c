// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void complain(const char* format, va_list args) {
  fprintf(stderr, "%s: ", program_invocation_short_name);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
}

void die(const char* format, ...) {
  va_list args;

  va_start(args, format);
  complain(format, args);
  va_end(args);
  exit(1);
}

void misused(const char* format, ...) {
  va_list args;

  va_start(args, format);
  complain(format, args);
  va_end(args);
  exit(2);
}

uint64_t parse_number(const char* option, const char* text, uint64_t least, uint64_t most) {
  char* end = NULL;
  unsigned long long value;

  errno = 0;
  value = text ? strtoull(text, &end, 10) : 0;
  if (!text || end == text || *end || errno || *text == '-' || value < least || value > most)
    misused("%s wants a number from %llu to %llu, not '%s'", option, (unsigned long long)least,
            (unsigned long long)most, text ? text : "");
  return value;
}

const char* parse_cgroup(const char* option, const char* text) {
  if (!text)
    misused("%s wants the folder of a cgroup", option);
  return text;
}

void pin_to(int cpu) {
  cpu_set_t set;

  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set))
    die("cannot run on processor %d: %s", cpu, strerror(errno));
}

uint64_t now_ns(clockid_t clock) {
  struct timespec now;

  if (clock_gettime(clock, &now))
    die("clock_gettime: %s", strerror(errno));
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void sleep_ms(unsigned int ms) {
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

  while (nanosleep(&time, &time) && errno == EINTR)
    ;
}

uint64_t cgroup_ns(const char* folder) {
  char path[PATH_MAX];
  unsigned long long usage_us;
  FILE* file;

  if (!folder)
    return 0;
  snprintf(path, sizeof(path), "%s/cpu.stat", folder);
  file = fopen(path, "re");
  if (!file)
    die("%s: %s (it is read for the CPU time of a cgroup)", path, strerror(errno));
  if (fscanf(file, "usage_usec %llu", &usage_us) != 1)
    die("%s does not begin with usage_usec", path);
  fclose(file);
  return usage_us * 1000;
}

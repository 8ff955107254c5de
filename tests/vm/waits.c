// SPDX-License-Identifier: GPL-2.0-only
/*
 * waits - makes one task wait for a processor, M times for each of some known lengths.
 *
 * A task of real-time priority wakes one of normal priority on the same processor, and goes on for as long as
 * the other is to wait. The lengths are 1.4 times each power of two from 2^FIRST to 2^LAST us: in the middle
 * of a bucket of a histogram by powers of two, so that two tools that read their clocks some microseconds
 * apart have them in the same bucket. Prints the pid of the task that waits when all is done, and stays until
 * its input ends: a tool that looks up what belongs to a pid finds it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

enum { MARGIN_US = 300 }; /* for the one that has waited to sleep again */

static void __attribute__((noreturn)) wait_and_wait(int from) {
  char byte;

  while (read(from, &byte, 1) == 1)
    ;
  exit(0);
}

static void make_wait(int to, uint64_t length_ns) {
  uint64_t until_ns = now_ns(CLOCK_MONOTONIC) + length_ns;

  if (write(to, "x", 1) != 1)
    die("write: %s", strerror(errno));
  while (now_ns(CLOCK_MONOTONIC) < until_ns)
    ;
  usleep(MARGIN_US + length_ns / 10000);
}

static void become_first(void) {
  struct sched_param first = {.sched_priority = 1};

  if (sched_setscheduler(0, SCHED_FIFO, &first))
    die("sched_setscheduler: %s", strerror(errno));
}

int main(int argc, char** argv) {
  uint64_t times, first, last;
  int cpu, ends[2], status;
  char byte;
  pid_t pid;

  if (argc != 5)
    misused("usage: waits CPU M FIRST LAST");
  cpu = (int)parse_number("CPU", argv[1], 0, CPU_SETSIZE - 1);
  times = parse_number("M", argv[2], 1, 1000000);
  last = parse_number("LAST", argv[4], 0, 20);
  first = parse_number("FIRST", argv[3], 0, last);
  pin_to(cpu);
  if (pipe(ends))
    die("pipe: %s", strerror(errno));
  pid = fork();
  if (pid < 0)
    die("fork: %s", strerror(errno));
  if (!pid) {
    close(ends[1]);
    wait_and_wait(ends[0]);
  }
  close(ends[0]);
  become_first();
  sleep_ms(100);
  for (uint64_t power = first; power <= last; power++)
    for (uint64_t i = 0; i < times; i++)
      make_wait(ends[1], (1000ULL << power) * 14 / 10);
  printf("%d\n", (int)pid);
  fflush(stdout);
  while (read(STDIN_FILENO, &byte, 1) == 1)
    ;
  close(ends[1]);
  if (waitpid(pid, &status, 0) != pid || status)
    die("the child failed");
  return 0;
}

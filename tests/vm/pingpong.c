// SPDX-License-Identifier: GPL-2.0-only
/*
 * pingpong - two processes on one processor pass a byte through a pair of pipes, M times there and back.
 *
 * Since both share a processor, the byte can only go on when the processor does: a round trip is two context
 * switches, one of each process. A switch is voluntary when the reader blocks, and involuntary when the
 * write's wake-up preempts the writer; the scheduler decides which, so that only the sum is known: 2 M, give
 * or take the few made for other tasks. Prints as one line of JSON what the kernel itself counted (getrusage)
 * while the bytes went round.
 *
 * With --warm-up W so many round trips go before, and the others alone are timed: switches are of both. With
 * --watch the report has what the tasks of a cgroup ran meanwhile; --settle-ms gives them the time to be done
 * with the warm-up before, and with the rest after.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

struct options {
  uint64_t trips;
  uint64_t warm_up;
  int cpu;
  unsigned int settle_ms;
  const char* watch; /* folder of a cgroup, or NULL */
};

struct switches {
  long voluntary;
  long involuntary;
};

/* Of one of the two. */
struct outcome {
  struct switches switches; /* in the warm-up, too */
  uint64_t process_ns;      /* CPU time in the timed round trips */
  uint64_t began_ns;        /* the timed ones, CLOCK_MONOTONIC */
  uint64_t ended_ns;
  uint64_t watched_ns; /* CPU time of the watched cgroup before them */
};

struct pipes {
  int to_child[2];
  int to_parent[2];
  int result[2];
};

static struct switches own_switches(void) {
  struct rusage usage;

  if (getrusage(RUSAGE_SELF, &usage))
    die("getrusage: %s", strerror(errno));
  return (struct switches){.voluntary = usage.ru_nvcsw, .involuntary = usage.ru_nivcsw};
}

static struct switches since(struct switches before) {
  struct switches now = own_switches();

  return (struct switches){
      .voluntary = now.voluntary - before.voluntary,
      .involuntary = now.involuntary - before.involuntary,
  };
}

static void send_byte(int fd) {
  if (write(fd, "x", 1) != 1)
    die("write: %s", strerror(errno));
}

static void receive_byte(int fd) {
  char byte;
  ssize_t got = read(fd, &byte, 1);

  if (got != 1)
    die("read: %s", got < 0 ? strerror(errno) : "the other side has gone");
}

static void answer(const struct pipes* pipes, uint64_t trips) {
  for (uint64_t i = 0; i < trips; i++) {
    receive_byte(pipes->to_child[0]);
    send_byte(pipes->to_parent[1]);
  }
}

static void call(const struct pipes* pipes, uint64_t trips) {
  for (uint64_t i = 0; i < trips; i++) {
    send_byte(pipes->to_child[1]);
    receive_byte(pipes->to_parent[0]);
  }
}

static void __attribute__((noreturn)) run_child(const struct pipes* pipes, const struct options* options) {
  struct outcome outcome = {0};
  struct switches before;
  uint64_t began_ns;

  receive_byte(pipes->to_child[0]);
  before = own_switches();
  send_byte(pipes->to_parent[1]);
  answer(pipes, options->warm_up);
  /* The parent still waits: nothing comes before it has settled. */
  began_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  answer(pipes, options->trips);
  outcome.process_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - began_ns;
  outcome.switches = since(before);
  if (write(pipes->result[1], &outcome, sizeof(outcome)) != (ssize_t)sizeof(outcome))
    die("result pipe: %s", strerror(errno));
  exit(0);
}

static struct outcome run_parent(const struct pipes* pipes, const struct options* options) {
  struct outcome outcome;
  struct switches before;
  uint64_t began_ns;

  /* One trip first: the child is up, and counts from the same moment. */
  call(pipes, 1);
  before = own_switches();
  call(pipes, options->warm_up);
  sleep_ms(options->settle_ms);
  outcome.watched_ns = cgroup_ns(options->watch);
  began_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  outcome.began_ns = now_ns(CLOCK_MONOTONIC);
  call(pipes, options->trips);
  outcome.ended_ns = now_ns(CLOCK_MONOTONIC);
  outcome.process_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - began_ns;
  outcome.switches = since(before);
  return outcome;
}

static void usage(FILE* stream) {
  fputs(
      "usage: pingpong ROUND_TRIPS [OPTION...]\n"
      "\n"
      "Passes a byte to and fro between two processes on one processor, and prints as one line of JSON\n"
      "the context switches that each of them made meanwhile: two per round trip in all.\n"
      "\n"
      "  --cpu C        the processor                                        (0)\n"
      "  --warm-up W    so many round trips before those that are timed      (0)\n"
      "  --settle-ms M  wait so long before and after the timed round trips  (0)\n"
      "  --watch FOLDER also report the CPU time of the cgroup FOLDER in these and the wait after\n",
      stream);
}

static struct options parse_options(int argc, char** argv) {
  struct options options = {0};

  for (int i = 1; i < argc; i++) {
    const char* word = argv[i];

    if (!strcmp(word, "--help")) {
      usage(stdout);
      exit(0);
    } else if (!strcmp(word, "--cpu")) {
      options.cpu = (int)parse_number(word, argv[++i], 0, CPU_SETSIZE - 1);
    } else if (!strcmp(word, "--warm-up")) {
      options.warm_up = parse_number(word, argv[++i], 0, 1000000000);
    } else if (!strcmp(word, "--settle-ms")) {
      options.settle_ms = (unsigned int)parse_number(word, argv[++i], 0, 60000);
    } else if (!strcmp(word, "--watch")) {
      options.watch = parse_cgroup(word, argv[++i]);
    } else if (word[0] == '-' || options.trips) {
      misused("unknown argument '%s'", word);
    } else {
      options.trips = parse_number("ROUND_TRIPS", word, 1, 1000000000);
    }
  }
  if (!options.trips) {
    usage(stderr);
    exit(2);
  }
  return options;
}

/* thread_ns is without what others ran on the same processor meanwhile. */
static void report(const struct options* options, pid_t child_pid, const struct outcome* parent,
                   const struct outcome* child) {
  const struct switches* one = &parent->switches;
  const struct switches* other = &child->switches;

  printf("{\"cpu\":%d,\"round_trips\":%llu,\"pids\":[%d,%d],\"voluntary\":[%ld,%ld],", options->cpu,
         (unsigned long long)options->trips, (int)getpid(), (int)child_pid, one->voluntary, other->voluntary);
  printf("\"involuntary\":[%ld,%ld],\"switches\":%ld,", one->involuntary, other->involuntary,
         one->voluntary + one->involuntary + other->voluntary + other->involuntary);
  printf("\"warm_up\":%llu,\"elapsed_ns\":%llu,\"thread_ns\":%llu,", (unsigned long long)options->warm_up,
         (unsigned long long)(parent->ended_ns - parent->began_ns),
         (unsigned long long)(parent->process_ns + child->process_ns));
  printf("\"watched_ns\":%llu}\n", (unsigned long long)(cgroup_ns(options->watch) - parent->watched_ns));
}

int main(int argc, char** argv) {
  struct options options = parse_options(argc, argv);
  struct pipes pipes;
  struct outcome parent, child;
  int status;
  pid_t pid;

  pin_to(options.cpu);
  if (pipe(pipes.to_child) || pipe(pipes.to_parent) || pipe(pipes.result))
    die("pipe: %s", strerror(errno));
  pid = fork();
  if (pid < 0)
    die("fork: %s", strerror(errno));
  if (!pid)
    run_child(&pipes, &options);
  parent = run_parent(&pipes, &options);
  if (read(pipes.result[0], &child, sizeof(child)) != (ssize_t)sizeof(child))
    die("the child did not report");
  if (waitpid(pid, &status, 0) != pid || status)
    die("the child failed");
  sleep_ms(options.settle_ms);
  report(&options, pid, &parent, &child);
  return 0;
}

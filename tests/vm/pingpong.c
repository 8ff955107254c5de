// SPDX-License-Identifier: GPL-2.0-only
/*
 * pingpong - two processes on one processor pass a byte through a pair of pipes, M times there and back.
 *
 * Since both share a processor, the byte can only go on when the processor does: a round trip is two context
 * switches, one of each process. A switch is voluntary when the reader blocks, and involuntary when the
 * write's wake-up preempts the writer; the scheduler decides which, so that only the sum is known: 2 M, give
 * or take the few made for other tasks. Prints as one line of JSON what the kernel itself counted (getrusage)
 * while the bytes went round.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct switches {
  long voluntary;
  long involuntary;
};

struct pipes {
  int to_child[2];
  int to_parent[2];
  int result[2];
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char* format, ...) {
  va_list args;

  fputs("pingpong: ", stderr);
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(1);
}

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

static void __attribute__((noreturn)) run_child(const struct pipes* pipes, long trips) {
  struct switches before;
  struct switches made;

  receive_byte(pipes->to_child[0]);
  before = own_switches();
  send_byte(pipes->to_parent[1]);
  for (long i = 0; i < trips; i++) {
    receive_byte(pipes->to_child[0]);
    send_byte(pipes->to_parent[1]);
  }
  made = since(before);
  if (write(pipes->result[1], &made, sizeof(made)) != (ssize_t)sizeof(made))
    die("result pipe: %s", strerror(errno));
  exit(0);
}

static struct switches run_parent(const struct pipes* pipes, long trips) {
  struct switches before;

  /* One trip first: the child is up, and counts from the same moment. */
  send_byte(pipes->to_child[1]);
  receive_byte(pipes->to_parent[0]);
  before = own_switches();
  for (long i = 0; i < trips; i++) {
    send_byte(pipes->to_child[1]);
    receive_byte(pipes->to_parent[0]);
  }
  return since(before);
}

static void pin_to(int cpu) {
  cpu_set_t set;

  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set))
    die("cannot run on processor %d: %s", cpu, strerror(errno));
}

static void __attribute__((noreturn)) usage(int status) {
  fputs(
      "usage: pingpong ROUND_TRIPS [--cpu C]\n"
      "\n"
      "Passes a byte to and fro between two processes on processor C (0), and prints as one line of\n"
      "JSON the context switches that each of them made meanwhile: two per round trip in all.\n",
      status ? stderr : stdout);
  exit(status);
}

static long parse_number(const char* name, const char* text, long least, long most) {
  char* end = NULL;
  long value;

  errno = 0;
  value = text ? strtol(text, &end, 10) : 0;
  if (!text || end == text || *end || errno || value < least || value > most) {
    fprintf(stderr, "pingpong: %s wants a number from %ld to %ld, not '%s'\n", name, least, most,
            text ? text : "");
    exit(2);
  }
  return value;
}

int main(int argc, char** argv) {
  struct pipes pipes;
  struct switches parent, child;
  long trips = 0, cpu = 0;
  int status;
  pid_t pid;

  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--help"))
      usage(0);
    else if (!strcmp(argv[i], "--cpu"))
      cpu = parse_number("--cpu", argv[++i], 0, CPU_SETSIZE - 1);
    else if (!trips)
      trips = parse_number("ROUND_TRIPS", argv[i], 1, 1000000000);
    else
      usage(2);
  }
  if (!trips)
    usage(2);
  pin_to((int)cpu);
  if (pipe(pipes.to_child) || pipe(pipes.to_parent) || pipe(pipes.result))
    die("pipe: %s", strerror(errno));
  pid = fork();
  if (pid < 0)
    die("fork: %s", strerror(errno));
  if (!pid)
    run_child(&pipes, trips);
  parent = run_parent(&pipes, trips);
  if (read(pipes.result[0], &child, sizeof(child)) != (ssize_t)sizeof(child))
    die("the child did not report");
  if (waitpid(pid, &status, 0) != pid || status)
    die("the child failed");
  printf(
      "{\"cpu\":%ld,\"round_trips\":%ld,\"pids\":[%d,%d],\"voluntary\":[%ld,%ld],\"involuntary\":[%ld,%ld],"
      "\"switches\":%ld}\n",
      cpu, trips, (int)getpid(), (int)pid, parent.voluntary, child.voluntary, parent.involuntary,
      child.involuntary, parent.voluntary + parent.involuntary + child.voluntary + child.involuntary);
  return 0;
}

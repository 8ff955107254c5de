// SPDX-License-Identifier: GPL-2.0-only
/*
 * setns_to - enters namespaces of another process with exactly one setns(2) call for each of them.
 *
 *         setns_to [--times N] PID mnt|uts|ipc|net|cgroup|pid|user|time[,...] [-- COMMAND [ARGUMENT...]]
 *
 * nsenter(1) opens more, and forks; a test that wants one crossing of one type needs to know that there was
 * nothing else. All files are opened before the first call, as the mount namespace decides where /proc leads.
 * Prints the number of setns calls that succeeded as `{"pid":P,"setns":N}`, then becomes COMMAND (looked up
 * in the namespaces that were entered), or ends. `pid` and `time` take effect for children only: this process
 * does not fork, so that with them COMMAND itself stays outside. To be linked statically, so that it runs in
 * any container's root file system.
 *
 * With --times it goes to and fro: N calls, in turn into PID's namespace and back into the one it came from,
 * for one type. A flood of changes, each with two sides.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct namespace_type {
  const char* name;
  int flag;
};

/* Not in every libc's headers. */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const struct namespace_type types[] = {
    {"mnt", CLONE_NEWNS},  {"uts", CLONE_NEWUTS},       {"ipc", CLONE_NEWIPC},   {"net", CLONE_NEWNET},
    {"pid", CLONE_NEWPID}, {"cgroup", CLONE_NEWCGROUP}, {"user", CLONE_NEWUSER}, {"time", CLONE_NEWTIME},
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

struct entry {
  const struct namespace_type* type;
  int fd;
};

static void __attribute__((noreturn)) usage(int status) {
  fputs(
      "usage: setns_to [--times N] PID TYPE[,TYPE...] [-- COMMAND [ARGUMENT...]]\n"
      "\n"
      "Enters PID's namespaces of these types (mnt uts ipc net cgroup pid user time) with one setns\n"
      "call each, prints how many succeeded, and becomes COMMAND.\n"
      "  --times N   N calls in turn there and back, of one TYPE\n",
      status ? stderr : stdout);
  exit(status);
}

static const struct namespace_type* find_type(const char* name) {
  for (size_t i = 0; i < TYPE_COUNT; i++) {
    if (!strcmp(types[i].name, name))
      return &types[i];
  }
  fprintf(stderr, "setns_to: no such namespace type: '%s'\n", name);
  exit(2);
}

static int open_namespace(const char* pid, const char* name) {
  char path[64];
  int fd;

  snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, name);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    fprintf(stderr, "setns_to: %s: %s\n", path, strerror(errno));
    exit(1);
  }
  return fd;
}

/* How many calls succeeded. */
static size_t enter_each(const struct entry* entries, size_t count, const char* pid) {
  size_t entered = 0;

  for (; entered < count; entered++) {
    if (setns(entries[entered].fd, entries[entered].type->flag)) {
      fprintf(stderr, "setns_to: entering %s of process %s: %s\n", entries[entered].type->name, pid,
              strerror(errno));
      break;
    }
  }
  return entered;
}

static size_t go_to_and_fro(const struct entry* there, size_t times) {
  const int back = open_namespace("self", there->type->name);
  size_t made = 0;

  while (made < times && !setns(made % 2 ? back : there->fd, there->type->flag))
    made++;
  if (made < times)
    perror("setns_to");
  return made;
}

int main(int argc, char** argv) {
  struct entry entries[TYPE_COUNT];
  size_t count = 0, entered, wanted, times = 0;
  const char* pid;

  if (argc == 2 && !strcmp(argv[1], "--help"))
    usage(0);
  if (argc > 2 && !strcmp(argv[1], "--times")) {
    times = strtoul(argv[2], NULL, 10);
    if (!times)
      usage(2);
    argc -= 2;
    argv += 2;
  }
  if (argc < 3 || (argc > 3 && (strcmp(argv[3], "--") || argc == 4)))
    usage(2);
  pid = argv[1];
  if (strspn(pid, "0123456789") != strlen(pid) && strcmp(pid, "self"))
    usage(2);
  for (char* name = strtok(argv[2], ","); name; name = strtok(NULL, ",")) {
    if (count == TYPE_COUNT)
      usage(2);
    entries[count].type = find_type(name);
    entries[count++].fd = open_namespace(pid, name);
  }
  if (times && count != 1)
    usage(2);
  wanted = times ? times : count;
  entered = times ? go_to_and_fro(entries, times) : enter_each(entries, count, pid);
  printf("{\"pid\":%d,\"setns\":%zu}\n", (int)getpid(), entered);
  fflush(stdout);
  if (entered < wanted)
    return 1;
  if (argc > 4) {
    execvp(argv[4], argv + 4);
    fprintf(stderr, "setns_to: %s: %s\n", argv[4], strerror(errno));
    return 127;
  }
  return 0;
}

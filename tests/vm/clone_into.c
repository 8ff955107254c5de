// SPDX-License-Identifier: GPL-2.0-only
/*
 * clone_into - starts a program that is born in another cgroup than its parent.
 *
 *         clone_into FOLDER COMMAND [ARGUMENT...]
 *
 * FOLDER is that of the cgroup (v2). clone3(2) with CLONE_INTO_CGROUP puts the child there before it has ever
 * run, so that nothing is written into any cgroup.procs. Ends with the child's status. To be linked
 * statically, so that it runs in any container's root file system.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  struct clone_args how = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
  int folder, status;
  pid_t child;

  if (argc < 3) {
    fputs("usage: clone_into FOLDER COMMAND [ARGUMENT...]\n", stderr);
    return 2;
  }
  folder = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    fprintf(stderr, "clone_into: %s: %s\n", argv[1], strerror(errno));
    return 1;
  }
  how.cgroup = (uint64_t)folder;
  child = (pid_t)syscall(SYS_clone3, &how, sizeof(how));
  if (child < 0) {
    fprintf(stderr, "clone_into: clone3 into %s: %s\n", argv[1], strerror(errno));
    return 1;
  }
  if (!child) {
    execvp(argv[2], argv + 2);
    fprintf(stderr, "clone_into: %s: %s\n", argv[2], strerror(errno));
    _exit(127);
  }
  if (waitpid(child, &status, 0) != child)
    return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

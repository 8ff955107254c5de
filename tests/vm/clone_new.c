// SPDX-License-Identifier: GPL-2.0-only
/*
 * clone_new - starts a child in a uts namespace of its own by clone(2), which unshare(1) does not do.
 *
 *         clone_new
 *
 * Ends with 0, or with the errno that clone gave. To be linked statically, so that it runs in any container's
 * root file system.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  const pid_t child = (pid_t)syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0);

  if (child < 0)
    return errno;
  if (!child)
    _exit(0);
  return waitpid(child, 0, 0) == child ? 0 : 127;
}

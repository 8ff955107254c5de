// SPDX-License-Identifier: GPL-2.0-only
/*
 * small_guest - a KVM guest that makes an exact number of VM exits.
 *
 * Each vCPU runs, in real mode,
 *
 *         loop: out 0x10, al      one `io` exit (IO_INSTRUCTION on VMX)
 *               cpuid             one `cpuid` exit, handled inside the kernel
 *               inc edi           the guest's own count of its CPUIDs
 *               dec esi
 *               jnz loop
 *               hlt               one `hlt` exit, which returns to user space: there is no in-kernel irqchip
 *
 * so that ROUNDS = N gives, per vCPU, exactly
 *
 *         io = N     cpuid = N     hlt = 1
 *
 * and with --hlt-only, where the loop is HLT alone and each KVM_EXIT_HLT is entered again,
 *
 *         io = 0     cpuid = 0     hlt = N
 *
 * Nested page faults (npf, EPT_VIOLATION) and host interrupts come along in a number that nobody can know
 * beforehand. io and hlt in the report are counted by the returns of KVM_RUN, cpuid by the guest. The exit
 * status is 0 only when they are the ones above.
 *
 * With --warm-up W the program runs twice: W rounds, then ROUNDS, which alone are timed. All counts are of
 * both, so that a tracer sees what the report says. With --watch the report has what the tasks of a cgroup
 * ran meanwhile; --settle-ms gives them the time to be done with the warm-up before, and with the rounds
 * after.
 *
 * --mix runs other code: ROUNDS times instructions that exit for as many other reasons as real mode allows,
 * and a stretch without an exit, which host interrupts cut short. Only its one HLT is sure everywhere.
 *
 * --bad-state starts with a code segment that VMX refuses: one failed entry and nothing else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define GUEST_BASE 0x1000
#define GUEST_SIZE 0x1000
#define MAX_VCPUS 64
#define DATA_PORT 0x10
#define UNMAPPED 0x5000

static const uint8_t out_cpuid_code[] = {
    0xe6, DATA_PORT, /* loop: out DATA_PORT, al */
    0x31, 0xc0,      /*       xor ax, ax: CPUID leaf 0, of which only the exit matters */
    0x0f, 0xa2,      /*       cpuid */
    0x66, 0x47,      /*       inc edi */
    0x66, 0x4e,      /*       dec esi */
    0x75, 0xf4,      /*       jnz loop */
    0xf4,            /*       hlt */
};

static const uint8_t hlt_code[] = {
    0xf4,       /* loop: hlt */
    0xeb, 0xfd, /*       jmp loop */
};

/* A read of memory that is not there is EPT_VIOLATION once, and EPT_MISCONFIG when KVM knows the address. */
/* clang-format off */
static const uint8_t mix_code[] = {
    0xfb,                                 /*       sti: without it Bochs keeps host interrupts back */
    0x66, 0xb9, 0x1b, 0x00, 0x00, 0x00,   /* loop: mov ecx, IA32_APIC_BASE */
    0x0f, 0x32,                           /*       rdmsr */
    0x66, 0xb9, 0x10, 0x00, 0x00, 0x00,   /*       mov ecx, IA32_TIME_STAMP_COUNTER */
    0x0f, 0x30,                           /*       wrmsr */
    0x0f, 0x20, 0xc0,                     /*       mov eax, cr0 */
    0x34, 0x02,                           /*       xor al, 2: MP, which KVM keeps to itself */
    0x0f, 0x22, 0xc0,                     /*       mov cr0, eax */
    0x0f, 0x21, 0xf8,                     /*       mov eax, dr7 */
    0x0f, 0x09,                           /*       wbinvd */
    0x0f, 0x08,                           /*       invd */
    0x0f, 0x01, 0xc1,                     /*       vmcall; KVM makes a vmmcall of it on SVM */
    0xa0, UNMAPPED & 0xff, UNMAPPED >> 8, /*       mov al, [UNMAPPED] */
    0x66, 0xb9, 0xa0, 0x86, 0x01, 0x00,   /*       mov ecx, 100000 */
    0x66, 0x49,                           /* spin: dec ecx */
    0x75, 0xfc,                           /*       jnz spin */
    0x66, 0x4e,                           /*       dec esi */
    0x75, 0xcd,                           /*       jnz loop */
    0xf4,                                 /*       hlt */
};
/* clang-format on */

enum code { OUT_CPUID, HLT_ONLY, MIX };

struct options {
  uint64_t rounds;
  uint64_t warm_up;
  int vcpus;
  int pin;
  unsigned int sleep_us;
  unsigned int settle_ms;
  const char* watch; /* folder of a cgroup, or NULL */
  enum code code;
  bool bad_state;
  bool hold;
};

struct vcpu {
  const struct options* options;
  pthread_t thread;
  int index;
  int fd;
  struct kvm_run* run;
  pid_t tid;
  uint64_t io;
  uint64_t cpuid;
  uint64_t hlt;
  uint64_t halts_left; /* the guest has ended when there is none */
  uint64_t began_ns;   /* the timed rounds, CLOCK_MONOTONIC */
  uint64_t ended_ns;
  uint64_t thread_ns;  /* CPU time of this thread in them */
  uint64_t watched_ns; /* of the first vCPU: CPU time of the watched cgroup before them */
  uint64_t failed;
};

static pthread_barrier_t start_barrier;
static pthread_barrier_t warm_barrier;

static int checked_ioctl(int fd, unsigned long request, void* argument, const char* name) {
  int result = ioctl(fd, request, argument);

  if (result < 0)
    die("%s: %s", name, strerror(errno));
  return result;
}

static void usage(FILE* stream) {
  fputs(
      "usage: small_guest ROUNDS [OPTION...]\n"
      "\n"
      "Runs a real-mode KVM guest that does ROUNDS times OUT and CPUID, then HLT, and prints as one\n"
      "line of JSON how many exits of each kind it made.\n"
      "\n"
      "  --vcpus N      N vCPUs, a thread for each, each doing ROUNDS        (1)\n"
      "  --warm-up W    so many rounds before those that are timed           (0)\n"
      "  --pin CPU      run all threads on this processor\n"
      "  --sleep-us U   sleep so long after each exit to user space          (0)\n"
      "  --settle-ms M  wait so long before and after the timed rounds       (0)\n"
      "  --watch FOLDER also report the CPU time of the cgroup FOLDER in these rounds and the wait after\n"
      "  --hlt-only     ROUNDS times HLT and nothing else\n"
      "  --mix          exits for many other reasons in place of OUT and CPUID\n"
      "  --bad-state    one failed entry and nothing else (VMX)\n"
      "  --hold         print `ready`, and run once a line comes on stdin\n",
      stream);
}

static struct options parse_options(int argc, char** argv) {
  struct options options = {.vcpus = 1, .pin = -1};

  for (int i = 1; i < argc; i++) {
    const char* word = argv[i];

    if (!strcmp(word, "--vcpus")) {
      options.vcpus = (int)parse_number(word, argv[++i], 1, MAX_VCPUS);
    } else if (!strcmp(word, "--warm-up")) {
      options.warm_up = parse_number(word, argv[++i], 0, UINT32_MAX);
    } else if (!strcmp(word, "--pin")) {
      options.pin = (int)parse_number(word, argv[++i], 0, CPU_SETSIZE - 1);
    } else if (!strcmp(word, "--sleep-us")) {
      options.sleep_us = (unsigned int)parse_number(word, argv[++i], 0, 1000000);
    } else if (!strcmp(word, "--settle-ms")) {
      options.settle_ms = (unsigned int)parse_number(word, argv[++i], 0, 60000);
    } else if (!strcmp(word, "--watch")) {
      options.watch = parse_cgroup(word, argv[++i]);
    } else if (!strcmp(word, "--hlt-only")) {
      options.code = HLT_ONLY;
    } else if (!strcmp(word, "--mix")) {
      options.code = MIX;
    } else if (!strcmp(word, "--bad-state")) {
      options.bad_state = true;
    } else if (!strcmp(word, "--hold")) {
      options.hold = true;
    } else if (!strcmp(word, "--help")) {
      usage(stdout);
      exit(0);
    } else if (word[0] == '-' || options.rounds) {
      misused("unknown argument '%s'", word);
    } else {
      /* The guest counts in 32 bits. */
      options.rounds = parse_number("ROUNDS", word, 1, UINT32_MAX);
    }
  }
  if (!options.rounds) {
    usage(stderr);
    exit(2);
  }
  return options;
}

static void load_guest(int vm, enum code code) {
  void* memory = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct kvm_userspace_memory_region region = {
      .guest_phys_addr = GUEST_BASE,
      .memory_size = GUEST_SIZE,
      .userspace_addr = (uintptr_t)memory,
  };

  if (memory == MAP_FAILED)
    die("guest memory: %s", strerror(errno));
  if (code == HLT_ONLY)
    memcpy(memory, hlt_code, sizeof(hlt_code));
  else if (code == MIX)
    memcpy(memory, mix_code, sizeof(mix_code));
  else
    memcpy(memory, out_cpuid_code, sizeof(out_cpuid_code));
  checked_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

static void create_vcpu(int kvm, int vm, struct vcpu* vcpu) {
  size_t size = (size_t)checked_ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");
  struct kvm_sregs sregs;

  vcpu->fd = ioctl(vm, KVM_CREATE_VCPU, (unsigned long)vcpu->index);
  if (vcpu->fd < 0)
    die("KVM_CREATE_VCPU %d: %s", vcpu->index, strerror(errno));
  vcpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
  if (vcpu->run == MAP_FAILED)
    die("mapping vCPU %d: %s", vcpu->index, strerror(errno));
  checked_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
  sregs.cs.base = 0;
  sregs.cs.selector = 0;
  if (vcpu->options->bad_state)
    sregs.cs.type = 0; /* data: VM entry fails with INVALID_STATE */
  checked_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
}

/* Returns false when the guest has ended. */
static bool run_to_next_exit(struct vcpu* vcpu) {
  if (ioctl(vcpu->fd, KVM_RUN, NULL) < 0) {
    if (errno == EINTR)
      return true;
    die("KVM_RUN on vCPU %d: %s", vcpu->index, strerror(errno));
  }
  switch (vcpu->run->exit_reason) {
    case KVM_EXIT_IO:
      if (vcpu->run->io.port != DATA_PORT)
        die("the guest wrote to the unexpected port 0x%x", vcpu->run->io.port);
      vcpu->io++;
      break;
    case KVM_EXIT_HLT:
      vcpu->hlt++;
      return --vcpu->halts_left > 0;
    case KVM_EXIT_MMIO:
      if (vcpu->run->mmio.phys_addr != UNMAPPED)
        die("the guest used the unexpected address 0x%llx", vcpu->run->mmio.phys_addr);
      break;
    case KVM_EXIT_FAIL_ENTRY:
      if (!vcpu->options->bad_state)
        die("the entry failed: 0x%llx", vcpu->run->fail_entry.hardware_entry_failure_reason);
      vcpu->failed++;
      return false;
    case KVM_EXIT_INTR:
      break;
    default:
      die("unexpected exit to user space: KVM exit reason %u", vcpu->run->exit_reason);
  }
  if (vcpu->options->sleep_us)
    usleep(vcpu->options->sleep_us);
  return true;
}

static void run_rounds(struct vcpu* vcpu, uint64_t rounds) {
  struct kvm_regs regs = {.rip = GUEST_BASE, .rsi = rounds, .rflags = 0x2};

  checked_ioctl(vcpu->fd, KVM_SET_REGS, &regs, "KVM_SET_REGS");
  vcpu->halts_left = vcpu->options->code == HLT_ONLY ? rounds : 1;
  while (run_to_next_exit(vcpu))
    ;
  checked_ioctl(vcpu->fd, KVM_GET_REGS, &regs, "KVM_GET_REGS");
  vcpu->cpuid += regs.rdi;
}

static void* run_vcpu(void* argument) {
  struct vcpu* vcpu = argument;
  uint64_t thread_began_ns;

  vcpu->tid = (pid_t)syscall(SYS_gettid);
  /* All tids are known before the first exit, so that --hold can name them. */
  pthread_barrier_wait(&start_barrier);
  pthread_barrier_wait(&start_barrier);
  if (vcpu->options->warm_up)
    run_rounds(vcpu, vcpu->options->warm_up);
  sleep_ms(vcpu->options->settle_ms);
  if (!vcpu->index)
    vcpu->watched_ns = cgroup_ns(vcpu->options->watch);
  pthread_barrier_wait(&warm_barrier);
  thread_began_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
  vcpu->began_ns = now_ns(CLOCK_MONOTONIC);
  run_rounds(vcpu, vcpu->options->rounds);
  vcpu->ended_ns = now_ns(CLOCK_MONOTONIC);
  vcpu->thread_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - thread_began_ns;
  return NULL;
}

static void wait_for_line(void) {
  int c;

  puts("ready");
  fflush(stdout);
  do
    c = getchar();
  while (c != '\n' && c != EOF);
}

/* elapsed_ns is from the first vCPU's start to the last one's end; thread_ns is without what others ran on
 * the same processor meanwhile. Called when all vCPUs have ended. */
static bool report(const struct options* options, const struct vcpu* vcpus) {
  uint64_t io = 0, cpuid = 0, hlt = 0, failed = 0, thread_ns = 0;
  uint64_t began_ns = vcpus[0].began_ns, ended_ns = 0;
  uint64_t n = (options->warm_up + options->rounds) * (uint64_t)options->vcpus;
  uint64_t runs = (uint64_t)options->vcpus * (options->warm_up ? 2 : 1);

  printf("{\"pid\":%d,\"tids\":[", (int)getpid());
  for (int i = 0; i < options->vcpus; i++) {
    printf("%s%d", i ? "," : "", (int)vcpus[i].tid);
    io += vcpus[i].io;
    cpuid += vcpus[i].cpuid;
    hlt += vcpus[i].hlt;
    thread_ns += vcpus[i].thread_ns;
    began_ns = vcpus[i].began_ns < began_ns ? vcpus[i].began_ns : began_ns;
    ended_ns = vcpus[i].ended_ns > ended_ns ? vcpus[i].ended_ns : ended_ns;
    failed += vcpus[i].failed;
  }
  printf("],\"vcpus\":%d,\"rounds\":%llu,\"io\":%llu,\"cpuid\":%llu,\"hlt\":%llu,", options->vcpus,
         (unsigned long long)options->rounds, (unsigned long long)io, (unsigned long long)cpuid,
         (unsigned long long)hlt);
  printf("\"warm_up\":%llu,\"elapsed_ns\":%llu,\"thread_ns\":%llu,", (unsigned long long)options->warm_up,
         (unsigned long long)(ended_ns - began_ns), (unsigned long long)thread_ns);
  printf("\"watched_ns\":%llu}\n", (unsigned long long)(cgroup_ns(options->watch) - vcpus[0].watched_ns));
  if (options->bad_state)
    return io == 0 && cpuid == 0 && hlt == 0 && failed == (uint64_t)options->vcpus;
  if (options->code == HLT_ONLY)
    return io == 0 && cpuid == 0 && hlt == n;
  if (options->code == MIX)
    return io == 0 && cpuid == 0 && hlt == runs;
  return io == n && cpuid == n && hlt == runs;
}

static int open_kvm(void) {
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  int version;

  if (kvm < 0)
    die("/dev/kvm: %s (is the kvm_amd or kvm_intel module loaded?)", strerror(errno));
  version = ioctl(kvm, KVM_GET_API_VERSION, 0);
  if (version != KVM_API_VERSION)
    die("/dev/kvm speaks version %d, not %d", version, KVM_API_VERSION);
  return kvm;
}

int main(int argc, char** argv) {
  struct options options = parse_options(argc, argv);
  struct vcpu vcpus[MAX_VCPUS] = {0};
  int kvm = open_kvm();
  int vm = checked_ioctl(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");

  if (options.pin >= 0)
    pin_to(options.pin);
  load_guest(vm, options.code);
  pthread_barrier_init(&start_barrier, NULL, (unsigned int)options.vcpus + 1);
  pthread_barrier_init(&warm_barrier, NULL, (unsigned int)options.vcpus);
  for (int i = 0; i < options.vcpus; i++) {
    vcpus[i].options = &options;
    vcpus[i].index = i;
    create_vcpu(kvm, vm, &vcpus[i]);
    errno = pthread_create(&vcpus[i].thread, NULL, run_vcpu, &vcpus[i]);
    if (errno)
      die("thread of vCPU %d: %s", i, strerror(errno));
  }
  pthread_barrier_wait(&start_barrier);
  if (options.hold)
    wait_for_line();
  pthread_barrier_wait(&start_barrier);
  for (int i = 0; i < options.vcpus; i++)
    pthread_join(vcpus[i].thread, NULL);
  sleep_ms(options.settle_ms);
  if (!report(&options, vcpus))
    die("the guest did not make the exits that it should have made");
  return 0;
}

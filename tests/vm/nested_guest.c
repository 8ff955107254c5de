// SPDX-License-Identifier: GPL-2.0-only
/*
 * nested_guest - a KVM guest on AMD that runs a guest of its own.
 *
 *   loop:  vmrun               one exit, of the guest
 *          stgi                (an exit too where the processor does not virtualize GIF)
 *          dec esi
 *          jnz loop
 *          hlt                 one exit, of the guest
 *   inner: hlt                 one exit each time, of the guest's guest, which our guest asked to see
 *
 * Needs kvm_amd with nested=1, its default. Prints as one line of JSON how many exits there must be.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Guest-physical addresses, a page each. */
enum {
  CODE = 0x1000,
  INNER_CODE = 0x2000,
  VMCB = 0x3000,
  HOST_SAVE = 0x4000,
  PAGE_DIRECTORY = 0x5000,
  MEMORY_SIZE = 0x8000
};

#define EFER_SVME (1u << 12)
#define MSR_VM_HSAVE_PA 0xc0010117u

/* 32 bits. VMRUN wants protected mode, and KVM paging as well. */
static const uint8_t code[] = {
    0xb8, 0x00, 0x30, 0x00, 0x00, /*       mov eax, VMCB */
    0x0f, 0x01, 0xd8,             /* loop: vmrun eax */
    0x0f, 0x01, 0xdc,             /*       stgi */
    0x4e,                         /*       dec esi */
    0x75, 0xf7,                   /*       jnz loop */
    0xf4,                         /*       hlt */
};
static const uint8_t inner_code[] = {0xf4};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char* format, ...) {
  va_list args;

  fputs("nested_guest: ", stderr);
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(1);
}

static int call(int fd, unsigned long request, void* argument, const char* name) {
  int result = ioctl(fd, request, argument);

  if (result < 0)
    die("%s: %s", name, strerror(errno));
  return result;
}

static void put(uint8_t* vmcb, unsigned int offset, uint64_t value, size_t size) {
  memcpy(vmcb + offset, &value, size);
}

/* Offsets: AMD64 Architecture Programmer's Manual, volume 2, appendix B. */
static void fill_vmcb(uint8_t* vmcb) {
  const uint16_t data = 0x93, executable = 0x9b; /* attributes of a segment in real mode */

  put(vmcb, 0x00c, 1u << 24, 4); /* intercept HLT */
  put(vmcb, 0x010, 1u << 0, 4);  /* and VMRUN, which must be */
  put(vmcb, 0x058, 1, 4);        /* address space id */
  for (unsigned int segment = 0x400; segment <= 0x450; segment += 0x10) {
    put(vmcb, segment + 2, segment == 0x410 ? executable : data, 2);
    put(vmcb, segment + 4, 0xffff, 4);
  }
  put(vmcb, 0x464, 0xffff, 4); /* limits of GDT and IDT */
  put(vmcb, 0x484, 0xffff, 4);
  put(vmcb, 0x4d0, EFER_SVME, 8);
  put(vmcb, 0x558, 0x10, 8);  /* CR0: real mode */
  put(vmcb, 0x560, 0x400, 8); /* DR7 and DR6 as after reset */
  put(vmcb, 0x568, 0xffff0ff0, 8);
  put(vmcb, 0x570, 2, 8); /* RFLAGS */
  put(vmcb, 0x578, INNER_CODE, 8);
  put(vmcb, 0x668, 0x0007040600070406, 8); /* PAT as after reset */
}

static void show_svm(int kvm, int vcpu) {
  enum { ENTRIES = 256 };
  struct kvm_cpuid2* cpuid = calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));

  if (!cpuid)
    die("no memory");
  cpuid->nent = ENTRIES;
  call(kvm, KVM_GET_SUPPORTED_CPUID, cpuid, "KVM_GET_SUPPORTED_CPUID");
  call(vcpu, KVM_SET_CPUID2, cpuid, "KVM_SET_CPUID2");
  free(cpuid);
}

static void set_registers(int vcpu, uint64_t rounds) {
  struct {
    struct kvm_msrs header;
    struct kvm_msr_entry host_save;
  } msrs = {.header = {.nmsrs = 1}, .host_save = {.index = MSR_VM_HSAVE_PA, .data = HOST_SAVE}};
  struct kvm_regs regs = {.rip = CODE, .rflags = 2, .rsi = rounds};
  struct kvm_sregs sregs;

  call(vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
  sregs.cr0 |= 0x80000001; /* PG, PE */
  sregs.cr3 = PAGE_DIRECTORY;
  sregs.cr4 |= 0x10; /* PSE */
  sregs.cs = (struct kvm_segment){
      .limit = UINT32_MAX, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1};
  sregs.ds = sregs.es = sregs.ss = (struct kvm_segment){
      .limit = UINT32_MAX, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
  sregs.efer |= EFER_SVME;
  call(vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS (does kvm_amd have nested=1?)");
  if (call(vcpu, KVM_SET_MSRS, &msrs, "KVM_SET_MSRS") != 1)
    die("KVM refused MSR_VM_HSAVE_PA");
  call(vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
}

int main(int argc, char** argv) {
  uint64_t rounds = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
  struct kvm_userspace_memory_region region = {.memory_size = MEMORY_SIZE};
  struct kvm_run* run;
  uint8_t* memory;
  int kvm, vm, vcpu;

  if (!rounds || rounds > UINT32_MAX) {
    fputs("usage: nested_guest ROUNDS\n", stderr);
    return 2;
  }
  kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0)
    die("/dev/kvm: %s", strerror(errno));
  vm = call(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
  memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    die("guest memory: %s", strerror(errno));
  memcpy(memory + CODE, code, sizeof(code));
  memcpy(memory + INNER_CODE, inner_code, sizeof(inner_code));
  fill_vmcb(memory + VMCB);
  put(memory, PAGE_DIRECTORY, 0x83, 4); /* one page of 4 MiB, as it is: present, writable, large */
  region.userspace_addr = (uintptr_t)memory;
  call(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
  vcpu = call(vm, KVM_CREATE_VCPU, NULL, "KVM_CREATE_VCPU");
  run = mmap(NULL, (size_t)call(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE"),
             PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  if (run == MAP_FAILED)
    die("mapping the vCPU: %s", strerror(errno));
  show_svm(kvm, vcpu);
  set_registers(vcpu, rounds);
  do {
    if (ioctl(vcpu, KVM_RUN, NULL) < 0 && errno != EINTR)
      die("KVM_RUN: %s", strerror(errno));
  } while (run->exit_reason == KVM_EXIT_INTR);
  if (run->exit_reason != KVM_EXIT_HLT)
    die("the guest ended with exit reason %u of KVM", run->exit_reason);
  printf("{\"pid\":%d,\"vmrun\":%llu,\"hlt\":%llu,\"nested_hlt\":%llu}\n", (int)getpid(),
         (unsigned long long)rounds, (unsigned long long)rounds + 1, (unsigned long long)rounds);
  return 0;
}

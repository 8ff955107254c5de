// SPDX-License-Identifier: Apache-2.0
#include "event/reason.h"

#include <asm/kvm.h>  // exception vectors
#include <asm/svm.h>
#include <asm/vmx.h>
#include <gtest/gtest.h>

#include <set>

#include "abi/event.h"

namespace isoscope::event {
namespace {

// What the kernel headers of this system say: a source we did not write.
struct KernelRow {
  std::uint32_t code;
  const char* name;
  template <typename T>
  KernelRow(T number, const char* text) : code(static_cast<std::uint32_t>(number)), name(text) {}
};
const KernelRow kernel_svm[] = {SVM_EXIT_REASONS};
const KernelRow kernel_vmx[] = {VMX_EXIT_REASONS};

TEST(EventReason, SvmNamesAreTheKernels) {
  EXPECT_GT(std::size(kernel_svm), 100u);
  for (const KernelRow& row : kernel_svm) {
    EXPECT_EQ(reason_name(Isa::svm, row.code), row.name) << row.code;
    EXPECT_TRUE(is_known_reason(Isa::svm, row.code)) << row.name;
  }
}

TEST(EventReason, VmxNamesAreTheKernels) {
  EXPECT_GT(std::size(kernel_vmx), 55u);
  for (const KernelRow& row : kernel_vmx) {
    EXPECT_EQ(reason_name(Isa::vmx, row.code), row.name) << row.code;
    EXPECT_TRUE(is_known_reason(Isa::vmx, row.code)) << row.name;
  }
}

// Every code of ours that the kernel headers do not know is one of the newer ones, named here.
TEST(EventReason, OnlyNewerCodesAreBeyondTheHeaders) {
  std::set<std::uint32_t> svm_codes{0xa5, 0xa6}, vmx_codes{74, 75, 76, 77, 84, 85};
  for (const KernelRow& row : kernel_svm) {
    svm_codes.insert(row.code);
  }
  for (const KernelRow& row : kernel_vmx) {
    vmx_codes.insert(row.code);
  }
  for (std::uint32_t code = 0; code < 0x1000; code++) {
    EXPECT_EQ(is_known_reason(Isa::svm, code), svm_codes.contains(code)) << code;
    EXPECT_EQ(is_known_reason(Isa::vmx, code), vmx_codes.contains(code)) << code;
  }
}

TEST(EventReason, NewerCodes) {
  EXPECT_EQ(reason_name(Isa::svm, 0xa5), "buslock");
  EXPECT_EQ(reason_name(Isa::svm, 0xa6), "idle-halt");
  EXPECT_EQ(reason_name(Isa::vmx, 74), "BUS_LOCK");
  EXPECT_EQ(reason_name(Isa::vmx, 75), "NOTIFY");
  EXPECT_EQ(reason_name(Isa::vmx, 76), "SEAMCALL");
  EXPECT_EQ(reason_name(Isa::vmx, 77), "TDCALL");
  EXPECT_EQ(reason_name(Isa::vmx, 84), "MSR_READ_IMM");
  EXPECT_EQ(reason_name(Isa::vmx, 85), "MSR_WRITE_IMM");
}

TEST(EventReason, WhatPeopleSeeMost) {
  EXPECT_EQ(reason_name(Isa::svm, 0x400), "npf");
  EXPECT_EQ(reason_name(Isa::svm, 0x7b), "io");
  EXPECT_EQ(reason_name(Isa::svm, 0x78), "hlt");
  EXPECT_EQ(reason_name(Isa::svm, 0xffffffff), "invalid_guest_state");
  EXPECT_EQ(reason_name(Isa::vmx, 48), "EPT_VIOLATION");
  EXPECT_EQ(reason_name(Isa::vmx, 30), "IO_INSTRUCTION");
  EXPECT_EQ(reason_name(Isa::vmx, 12), "HLT");
}

TEST(EventReason, UnknownCodesAreNumbers) {
  EXPECT_EQ(reason_name(Isa::svm, 0x1ff), "0x1ff");
  EXPECT_EQ(reason_name(Isa::vmx, 199), "199");
  EXPECT_EQ(reason_name(Isa::unknown, 48), "48");
  EXPECT_FALSE(is_known_reason(Isa::svm, 0x1ff));
  EXPECT_FALSE(is_known_reason(Isa::vmx, 199));
  EXPECT_FALSE(is_known_reason(Isa::unknown, 48));
}

TEST(EventReason, FailedEntries) {
  EXPECT_EQ(reason_name(Isa::vmx, ISOSCOPE_REASON_FAILED_ENTRY | 33), "INVALID_STATE (failed entry)");
  EXPECT_EQ(reason_name(Isa::vmx, ISOSCOPE_REASON_FAILED_ENTRY | 199), "199 (failed entry)");
  EXPECT_TRUE(is_known_reason(Isa::vmx, ISOSCOPE_REASON_FAILED_ENTRY | 33));
  // The same bit is part of SVM's software codes.
  EXPECT_EQ(reason_name(Isa::svm, 0x80000001), "vmgexit_mmio_read");
}

TEST(EventReason, Unreadable) {
  for (const Isa isa : {Isa::unknown, Isa::vmx, Isa::svm}) {
    EXPECT_EQ(reason_name(isa, ISOSCOPE_REASON_UNREADABLE), "unreadable");
    EXPECT_FALSE(is_known_reason(isa, ISOSCOPE_REASON_UNREADABLE));
  }
}

TEST(EventReason, Halts) {
  EXPECT_TRUE(is_halt(Isa::svm, 0x78));
  EXPECT_TRUE(is_halt(Isa::svm, 0xa6));
  EXPECT_TRUE(is_halt(Isa::vmx, 12));
  EXPECT_FALSE(is_halt(Isa::svm, 12));
  EXPECT_FALSE(is_halt(Isa::vmx, 0x78));
  EXPECT_FALSE(is_halt(Isa::vmx, ISOSCOPE_REASON_FAILED_ENTRY | 12));
  EXPECT_FALSE(is_halt(Isa::unknown, 12));
}

}  // namespace
}  // namespace isoscope::event

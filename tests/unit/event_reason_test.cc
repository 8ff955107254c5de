// SPDX-License-Identifier: Apache-2.0
#include "event/reason.h"

#include <asm/kvm.h>  // exception vectors
#include <asm/svm.h>
#include <asm/vmx.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <span>
#include <string_view>
#include <vector>

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

// Constants of the same headers that have no row: the kernel prints them as numbers.
struct Constant {
  std::uint32_t code;
  const char* name;
};
constexpr Constant svm_constants[] = {{SVM_EXIT_MWAIT_COND, "mwait_cond"},
                                      {SVM_EXIT_RDPRU, "rdpru"},
                                      {SVM_EXIT_CR1_WRITE_TRAP, "write_cr1_trap"},
                                      {SVM_EXIT_CR2_WRITE_TRAP, "write_cr2_trap"},
                                      {SVM_EXIT_CR3_WRITE_TRAP, "write_cr3_trap"},
                                      {SVM_EXIT_CR5_WRITE_TRAP, "write_cr5_trap"},
                                      {SVM_EXIT_CR6_WRITE_TRAP, "write_cr6_trap"},
                                      {SVM_EXIT_CR7_WRITE_TRAP, "write_cr7_trap"},
                                      {SVM_EXIT_CR9_WRITE_TRAP, "write_cr9_trap"},
                                      {SVM_EXIT_CR10_WRITE_TRAP, "write_cr10_trap"},
                                      {SVM_EXIT_CR11_WRITE_TRAP, "write_cr11_trap"},
                                      {SVM_EXIT_CR12_WRITE_TRAP, "write_cr12_trap"},
                                      {SVM_EXIT_CR13_WRITE_TRAP, "write_cr13_trap"},
                                      {SVM_EXIT_CR14_WRITE_TRAP, "write_cr14_trap"},
                                      {SVM_EXIT_CR15_WRITE_TRAP, "write_cr15_trap"},
                                      {SVM_VMGEXIT_TERM_REQUEST, "vmgexit_term_request"},
                                      {SVM_VMGEXIT_UNSUPPORTED_EVENT, "vmgexit_unsupported_event"},
                                      {SVM_EXIT_SW, "sw"}};
// Newer than the headers of Debian 12.
constexpr Constant newer_svm[] = {{0xa5, "buslock"},
                                  {0xa6, "idle-halt"},
                                  {0x407, "pml_full"},
                                  {0x80000018, "vmgexit_snp_run_vmpl"},
                                  {0x8000001a, "vmgexit_savic"}};
constexpr Constant newer_vmx[] = {{6, "OTHER_SMI"},     {74, "BUS_LOCK"}, {75, "NOTIFY"},
                                  {76, "SEAMCALL"},     {77, "TDCALL"},   {84, "MSR_READ_IMM"},
                                  {85, "MSR_WRITE_IMM"}};

TEST(EventReason, ConstantsWithoutARowAndNewerCodes) {
  for (const std::span<const Constant> group : {std::span<const Constant>(svm_constants), {newer_svm}}) {
    for (const Constant& constant : group) {
      EXPECT_EQ(reason_name(Isa::svm, constant.code), constant.name) << constant.code;
    }
  }
  for (const Constant& constant : newer_vmx) {
    EXPECT_EQ(reason_name(Isa::vmx, constant.code), constant.name) << constant.code;
  }
}

// Every code of ours has a source: a row, a constant, or the list of newer ones above.
TEST(EventReason, NothingElseHasAName) {
  std::set<std::uint32_t> svm_codes, vmx_codes;
  const auto add = [](std::set<std::uint32_t>& codes, const auto& group) {
    for (const auto& one : group) {
      codes.insert(one.code);
    }
  };
  add(svm_codes, kernel_svm);
  add(svm_codes, svm_constants);
  add(svm_codes, newer_svm);
  add(vmx_codes, kernel_vmx);
  add(vmx_codes, newer_vmx);
  for (const std::uint32_t base : {0u, 0x80000000u, 0x8000f000u}) {
    for (std::uint32_t code = base; code < base + 0x1000; code++) {
      EXPECT_EQ(is_known_reason(Isa::svm, code), svm_codes.contains(code)) << code;
      if (base == 0) {
        EXPECT_EQ(is_known_reason(Isa::vmx, code), vmx_codes.contains(code)) << code;
      }
    }
  }
  EXPECT_EQ(svm_reason_names().size(), svm_codes.size());
  EXPECT_EQ(vmx_reason_names().size(), vmx_codes.size());
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

TEST(EventReason, WhatIsAFailedEntry) {
  EXPECT_TRUE(is_failed_entry(Isa::vmx, ISOSCOPE_REASON_FAILED_ENTRY | 33));
  EXPECT_FALSE(is_failed_entry(Isa::vmx, 33));
  EXPECT_FALSE(is_failed_entry(Isa::svm, 0x80000001));
  EXPECT_FALSE(is_failed_entry(Isa::unknown, ISOSCOPE_REASON_FAILED_ENTRY | 33));
  EXPECT_FALSE(is_failed_entry(Isa::vmx, ISOSCOPE_REASON_UNREADABLE));
}

TEST(EventReason, Unreadable) {
  for (const Isa isa : {Isa::unknown, Isa::vmx, Isa::svm}) {
    EXPECT_EQ(reason_name(isa, ISOSCOPE_REASON_UNREADABLE), "unreadable");
    EXPECT_FALSE(is_known_reason(isa, ISOSCOPE_REASON_UNREADABLE));
  }
}

TEST(EventReason, NamesToChooseFrom) {
  const std::vector<std::string_view> names = reason_names();
  for (const std::string_view name : {"npf", "DE excp", "HLT", "hlt", "EPT_VIOLATION",
                                      "INVALID_STATE (failed entry)", "unreadable", "other"}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
  }
  EXPECT_EQ(names.size(), svm_reason_names().size() + 2 * vmx_reason_names().size() + 2);
}

TEST(EventReason, Numbers) {
  EXPECT_EQ(parse_reason_number("48"), 48u);
  EXPECT_EQ(parse_reason_number("0x400"), 0x400u);
  EXPECT_EQ(parse_reason_number("0XfFfffffF"), 0xffffffffu);
  for (const char* text :
       {"", "0x", "x", "-1", "+1", " 1", "1 ", "0x100000000", "4294967296", "npf", "0xg", "1*"}) {
    EXPECT_FALSE(parse_reason_number(text)) << text;
  }
}

TEST(EventReason, AReasonThatIsAskedFor) {
  EXPECT_TRUE(matches_reason("npf", Isa::svm, 0x400));
  EXPECT_TRUE(matches_reason("NPF", Isa::svm, 0x400));
  EXPECT_FALSE(matches_reason("np", Isa::svm, 0x400));
  EXPECT_TRUE(matches_reason("hlt", Isa::svm, 0x78)) << "of any vendor";
  EXPECT_TRUE(matches_reason("hlt", Isa::vmx, 12));
  EXPECT_TRUE(matches_reason("ept_*", Isa::vmx, 48));
  EXPECT_TRUE(matches_reason("EPT_[VM]*", Isa::vmx, 49));
  EXPECT_TRUE(matches_reason("?? excp", Isa::svm, 0x4e));
  EXPECT_FALSE(matches_reason("*", Isa::vmx, 48) != matches_reason("*", Isa::unknown, 48));
  EXPECT_TRUE(matches_reason("0x400", Isa::svm, 0x400));
  EXPECT_TRUE(matches_reason("1024", Isa::svm, 0x400));
  EXPECT_TRUE(matches_reason("48", Isa::unknown, 48));
  EXPECT_TRUE(matches_reason("0x1ff", Isa::svm, 0x1ff)) << "without a name";
  EXPECT_FALSE(matches_reason("0x1ff", Isa::svm, 0x1fe));
  EXPECT_TRUE(matches_reason("unreadable", Isa::vmx, ISOSCOPE_REASON_UNREADABLE));
}

TEST(EventReason, FailedEntriesWithOrByThemselves) {
  constexpr std::uint32_t failed = ISOSCOPE_REASON_FAILED_ENTRY | 33;
  for (const char* both : {"INVALID_STATE", "invalid_*", "33", "0x21"}) {
    EXPECT_TRUE(matches_reason(both, Isa::vmx, failed)) << both;
    EXPECT_TRUE(matches_reason(both, Isa::vmx, 33)) << both;
  }
  for (const char* alone : {"INVALID_STATE (failed entry)", "*(failed entry)", "0x80000021", "2147483681"}) {
    EXPECT_TRUE(matches_reason(alone, Isa::vmx, failed)) << alone;
    EXPECT_FALSE(matches_reason(alone, Isa::vmx, 33)) << alone;
  }
  EXPECT_FALSE(matches_reason("1", Isa::svm, 0x80000001)) << "the bit means something else there";
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

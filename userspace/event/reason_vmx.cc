// SPDX-License-Identifier: Apache-2.0
// Names of VMX basic exit reasons: VMX_EXIT_REASONS in the kernel's arch/x86/include/uapi/asm/vmx.h. Where
// that header has a constant but no row, the kernel prints a number, and the name here is the constant's.
#include <algorithm>
#include <array>

#include "event/reason.h"

namespace isoscope::event {

namespace {

struct Row {
  std::uint32_t code;
  std::string_view name;
};

// Sorted by code.
constexpr auto rows = std::to_array<Row>({
    {0, "EXCEPTION_NMI"},
    {1, "EXTERNAL_INTERRUPT"},
    {2, "TRIPLE_FAULT"},
    {3, "INIT_SIGNAL"},
    {4, "SIPI_SIGNAL"},
    {6, "OTHER_SMI"},  // no row in the kernel
    {7, "INTERRUPT_WINDOW"},
    {8, "NMI_WINDOW"},
    {9, "TASK_SWITCH"},
    {10, "CPUID"},
    {12, "HLT"},
    {13, "INVD"},
    {14, "INVLPG"},
    {15, "RDPMC"},
    {16, "RDTSC"},
    {18, "VMCALL"},
    {19, "VMCLEAR"},
    {20, "VMLAUNCH"},
    {21, "VMPTRLD"},
    {22, "VMPTRST"},
    {23, "VMREAD"},
    {24, "VMRESUME"},
    {25, "VMWRITE"},
    {26, "VMOFF"},
    {27, "VMON"},
    {28, "CR_ACCESS"},
    {29, "DR_ACCESS"},
    {30, "IO_INSTRUCTION"},
    {31, "MSR_READ"},
    {32, "MSR_WRITE"},
    {33, "INVALID_STATE"},
    {34, "MSR_LOAD_FAIL"},
    {36, "MWAIT_INSTRUCTION"},
    {37, "MONITOR_TRAP_FLAG"},
    {39, "MONITOR_INSTRUCTION"},
    {40, "PAUSE_INSTRUCTION"},
    {41, "MCE_DURING_VMENTRY"},
    {43, "TPR_BELOW_THRESHOLD"},
    {44, "APIC_ACCESS"},
    {45, "EOI_INDUCED"},
    {46, "GDTR_IDTR"},
    {47, "LDTR_TR"},
    {48, "EPT_VIOLATION"},
    {49, "EPT_MISCONFIG"},
    {50, "INVEPT"},
    {51, "RDTSCP"},
    {52, "PREEMPTION_TIMER"},
    {53, "INVVPID"},
    {54, "WBINVD"},
    {55, "XSETBV"},
    {56, "APIC_WRITE"},
    {57, "RDRAND"},
    {58, "INVPCID"},
    {59, "VMFUNC"},
    {60, "ENCLS"},
    {61, "RDSEED"},
    {62, "PML_FULL"},
    {63, "XSAVES"},
    {64, "XRSTORS"},
    {67, "UMWAIT"},
    {68, "TPAUSE"},
    {74, "BUS_LOCK"},
    {75, "NOTIFY"},
    {76, "SEAMCALL"},       // no row in the kernel; 6.18
    {77, "TDCALL"},         // 6.16
    {84, "MSR_READ_IMM"},   // 6.18
    {85, "MSR_WRITE_IMM"},  // 6.18
});

static_assert(std::is_sorted(rows.begin(), rows.end(),
                             [](const Row& a, const Row& b) { return a.code < b.code; }));

}  // namespace

std::vector<std::string_view> vmx_reason_names() {
  std::vector<std::string_view> names;
  names.reserve(rows.size());
  for (const Row& row : rows) {
    names.push_back(row.name);
  }
  return names;
}

std::string_view vmx_reason(std::uint32_t basic_reason) {
  const auto* row = std::lower_bound(rows.begin(), rows.end(), basic_reason,
                                     [](const Row& a, std::uint32_t wanted) { return a.code < wanted; });
  return row != rows.end() && row->code == basic_reason ? row->name : std::string_view();
}

}  // namespace isoscope::event

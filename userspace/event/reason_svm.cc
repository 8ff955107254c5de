// SPDX-License-Identifier: Apache-2.0
// Names of SVM exit codes: SVM_EXIT_REASONS in the kernel's arch/x86/include/uapi/asm/svm.h, misspellings
// included (`read_rt` is TR_READ), since people search for what perf prints. Where that header has a constant
// but no row, the kernel prints a number, and the name here is made of the constant.
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
    {0x00, "read_cr0"},
    {0x02, "read_cr2"},
    {0x03, "read_cr3"},
    {0x04, "read_cr4"},
    {0x08, "read_cr8"},
    {0x10, "write_cr0"},
    {0x12, "write_cr2"},
    {0x13, "write_cr3"},
    {0x14, "write_cr4"},
    {0x18, "write_cr8"},
    {0x20, "read_dr0"},
    {0x21, "read_dr1"},
    {0x22, "read_dr2"},
    {0x23, "read_dr3"},
    {0x24, "read_dr4"},
    {0x25, "read_dr5"},
    {0x26, "read_dr6"},
    {0x27, "read_dr7"},
    {0x30, "write_dr0"},
    {0x31, "write_dr1"},
    {0x32, "write_dr2"},
    {0x33, "write_dr3"},
    {0x34, "write_dr4"},
    {0x35, "write_dr5"},
    {0x36, "write_dr6"},
    {0x37, "write_dr7"},
    {0x40, "DE excp"},
    {0x41, "DB excp"},
    {0x43, "BP excp"},
    {0x44, "OF excp"},
    {0x45, "BR excp"},
    {0x46, "UD excp"},
    {0x47, "NM excp"},
    {0x48, "DF excp"},
    {0x4a, "TS excp"},
    {0x4b, "NP excp"},
    {0x4c, "SS excp"},
    {0x4d, "GP excp"},
    {0x4e, "PF excp"},
    {0x50, "MF excp"},
    {0x51, "AC excp"},
    {0x52, "MC excp"},
    {0x53, "XF excp"},
    {0x60, "interrupt"},
    {0x61, "nmi"},
    {0x62, "smi"},
    {0x63, "init"},
    {0x64, "vintr"},
    {0x65, "cr0_sel_write"},
    {0x66, "read_idtr"},
    {0x67, "read_gdtr"},
    {0x68, "read_ldtr"},
    {0x69, "read_rt"},
    {0x6a, "write_idtr"},
    {0x6b, "write_gdtr"},
    {0x6c, "write_ldtr"},
    {0x6d, "write_rt"},
    {0x6e, "rdtsc"},
    {0x6f, "rdpmc"},
    {0x70, "pushf"},
    {0x71, "popf"},
    {0x72, "cpuid"},
    {0x73, "rsm"},
    {0x74, "iret"},
    {0x75, "swint"},
    {0x76, "invd"},
    {0x77, "pause"},
    {0x78, "hlt"},
    {0x79, "invlpg"},
    {0x7a, "invlpga"},
    {0x7b, "io"},
    {0x7c, "msr"},
    {0x7d, "task_switch"},
    {0x7e, "ferr_freeze"},
    {0x7f, "shutdown"},
    {0x80, "vmrun"},
    {0x81, "hypercall"},
    {0x82, "vmload"},
    {0x83, "vmsave"},
    {0x84, "stgi"},
    {0x85, "clgi"},
    {0x86, "skinit"},
    {0x87, "rdtscp"},
    {0x88, "icebp"},
    {0x89, "wbinvd"},
    {0x8a, "monitor"},
    {0x8b, "mwait"},
    {0x8c, "mwait_cond"},  // no row in the kernel
    {0x8d, "xsetbv"},
    {0x8e, "rdpru"},  // no row in the kernel
    {0x8f, "write_efer_trap"},
    // Traps after writes to control registers; the kernel has rows for those of CR0, CR4 and CR8.
    {0x90, "write_cr0_trap"},
    {0x91, "write_cr1_trap"},
    {0x92, "write_cr2_trap"},
    {0x93, "write_cr3_trap"},
    {0x94, "write_cr4_trap"},
    {0x95, "write_cr5_trap"},
    {0x96, "write_cr6_trap"},
    {0x97, "write_cr7_trap"},
    {0x98, "write_cr8_trap"},
    {0x99, "write_cr9_trap"},
    {0x9a, "write_cr10_trap"},
    {0x9b, "write_cr11_trap"},
    {0x9c, "write_cr12_trap"},
    {0x9d, "write_cr13_trap"},
    {0x9e, "write_cr14_trap"},
    {0x9f, "write_cr15_trap"},
    {0xa2, "invpcid"},
    {0xa5, "buslock"},    // 6.16
    {0xa6, "idle-halt"},  // 6.16
    {0x400, "npf"},
    {0x401, "avic_incomplete_ipi"},
    {0x402, "avic_unaccelerated_access"},
    {0x403, "vmgexit"},
    {0x407, "pml_full"},  // PML for SVM: in AMD's manual and in patches that were posted, not yet merged
    // What an SEV-ES guest asks for in its GHCB.
    {0x80000001, "vmgexit_mmio_read"},
    {0x80000002, "vmgexit_mmio_write"},
    {0x80000003, "vmgexit_nmi_complete"},
    {0x80000004, "vmgexit_ap_hlt_loop"},
    {0x80000005, "vmgexit_ap_jump_table"},
    {0x80000010, "vmgexit_page_state_change"},
    {0x80000011, "vmgexit_guest_request"},
    {0x80000012, "vmgexit_ext_guest_request"},
    {0x80000013, "vmgexit_ap_creation"},
    {0x80000018, "vmgexit_snp_run_vmpl"},  // no row in the kernel
    {0x8000001a, "vmgexit_savic"},         // no row in the kernel; 6.18
    {0x8000fffd, "vmgexit_hypervisor_feature"},
    {0x8000fffe, "vmgexit_term_request"},       // no row in the kernel
    {0x8000ffff, "vmgexit_unsupported_event"},  // no row in the kernel
    {0xf0000000, "sw"},                         // no row in the kernel: kept for hypervisors
    {0xffffffff, "invalid_guest_state"},
});

static_assert(std::is_sorted(rows.begin(), rows.end(),
                             [](const Row& a, const Row& b) { return a.code < b.code; }));

}  // namespace

std::vector<std::string_view> svm_reason_names() {
  std::vector<std::string_view> names;
  names.reserve(rows.size());
  for (const Row& row : rows) {
    names.push_back(row.name);
  }
  return names;
}

std::string_view svm_reason(std::uint32_t code) {
  const auto* row = std::lower_bound(rows.begin(), rows.end(), code,
                                     [](const Row& a, std::uint32_t wanted) { return a.code < wanted; });
  return row != rows.end() && row->code == code ? row->name : std::string_view();
}

}  // namespace isoscope::event

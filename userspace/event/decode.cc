// SPDX-License-Identifier: Apache-2.0
#include "event/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "abi/event.h"

namespace isoscope::event {

namespace {

using base::Error;
using base::ErrorKind;
using base::Result;

constexpr std::size_t name_offset = offsetof(isoscope_cgroup_change, name);
constexpr std::size_t path_offset = offsetof(isoscope_access, path);

static_assert(namespace_types == ISOSCOPE_NS_COUNT);
static_assert(static_cast<int>(NamespaceType::user) == ISOSCOPE_NS_USER);
static_assert(static_cast<int>(Mechanism::cgroup_attach) == ISOSCOPE_MECHANISM_CGROUP_ATTACH);
static_assert(static_cast<int>(Mechanism::clone_into_cgroup) == ISOSCOPE_MECHANISM_CLONE_INTO_CGROUP);
static_assert(static_cast<int>(Answer::refused) == ISOSCOPE_ANSWER_REFUSED);
static_assert(static_cast<int>(SeenAt::recheck) == ISOSCOPE_SEEN_AT_RECHECK);
static_assert(static_cast<int>(SeenAt::exit) == ISOSCOPE_SEEN_AT_EXIT);
static_assert(static_cast<int>(Invariant::seccomp) == ISOSCOPE_INVARIANT_SECCOMP);
static_assert(static_cast<int>(Invariant::initial_credentials) == ISOSCOPE_INVARIANT_INITIAL_CRED);
static_assert(static_cast<int>(CapabilitySet::permitted) == ISOSCOPE_CAPABILITY_PERMITTED);
static_assert(static_cast<int>(AccessKind::clone) == ISOSCOPE_ACCESS_CLONE);

Error broken(std::string what) {
  return Error{ErrorKind::failure, "broken event record: " + std::move(what)};
}

// The caller has checked that the bytes are there. A copy, because the ring aligns to 8 and files not at all.
template <typename T>
T read(std::span<const std::byte> bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

Meta meta_of(const isoscope_event_header& header) {
  return Meta{.ts_ns = header.ts_ns,
              .cgroup_id = header.cgroup_id,
              .tgid = header.tgid,
              .tid = header.tid,
              .cpu = header.cpu};
}

Isa isa_of(std::uint32_t number) {
  switch (number) {
    case ISOSCOPE_ISA_VMX:
      return Isa::vmx;
    case ISOSCOPE_ISA_SVM:
      return Isa::svm;
    default:
      return Isa::unknown;
  }
}

NamespaceSet namespaces_of(const isoscope_ns_set& set) {
  NamespaceSet result;
  std::copy(std::begin(set.inum), std::end(set.inum), result.inum.begin());
  return result;
}

std::string comm_of(const char (&comm)[ISOSCOPE_COMM_BYTES]) {
  return std::string(comm, std::find(std::begin(comm), std::end(comm), '\0'));
}

Exe exe_of(const isoscope_exe& exe) {
  return {exe.inode, exe.device};
}

Result<Payload> decode_vm_exit(std::span<const std::byte> bytes) {
  const auto wire = read<isoscope_vm_exit>(bytes);
  const isoscope_split& split = wire.split;
  std::uint64_t left = wire.duration_ns;
  for (const std::uint64_t part : {split.halted_ns, split.userspace_ns, split.preempted_ns}) {
    if (part > left) {
      return broken(fmt::format("the parts of an exit of {} ns make more than that", wire.duration_ns));
    }
    left -= part;
  }
  return Payload(VmExit{.start_ns = wire.start_ns,
                        .duration_ns = wire.duration_ns,
                        .split = {split.halted_ns, split.userspace_ns, split.preempted_ns},
                        .guest_rip = wire.guest_rip,
                        .vcpu_id = wire.vcpu_id,
                        .isa = isa_of(wire.isa),
                        .reason = wire.reason});
}

Result<Payload> decode_switch(std::span<const std::byte> bytes) {
  const auto wire = read<isoscope_switch>(bytes);
  return Payload(ContextSwitch{.ran_ns = wire.ran_ns,
                               .next_cgroup_id = wire.next_cgroup_id,
                               .next_waited_ns = wire.next_waited_ns,
                               .next_tgid = wire.next_tgid,
                               .next_tid = wire.next_tid,
                               .prev_state = wire.prev_state,
                               .voluntary = wire.voluntary != 0});
}

// The text at the end of a record of variable length, of `said` bytes with its zero byte, and at most `most`.
Result<std::string> text_at_end(std::span<const std::byte> bytes, std::size_t offset, std::uint32_t said,
                                std::size_t most) {
  if (said == 0 || said > most || bytes.size() != offset + said) {
    return broken(fmt::format("text of {} bytes in a record of {}", said, bytes.size()));
  }
  std::string text(said, '\0');
  std::memcpy(text.data(), bytes.data() + offset, said);
  if (text.find('\0') != text.size() - 1) {
    return broken("text does not end where its length says");
  }
  text.pop_back();
  return text;
}

Result<Payload> decode_cgroup_change(std::span<const std::byte> bytes, std::uint16_t kind) {
  isoscope_cgroup_change wire{};
  std::memcpy(&wire, bytes.data(), name_offset);
  auto name = text_at_end(bytes, name_offset, wire.name_bytes, ISOSCOPE_NAME_BYTES);
  if (!name) {
    return name.error();
  }
  if (kind == ISOSCOPE_KIND_CGROUP_RMDIR) {
    return Payload(CgroupRemoved{.id = wire.id});
  }
  return Payload(
      CgroupMade{.id = wire.id, .parent_id = wire.parent_id, .level = wire.level, .name = *std::move(name)});
}

Result<Payload> decode_access(std::span<const std::byte> bytes) {
  isoscope_access wire{};
  std::memcpy(&wire, bytes.data(), path_offset);
  auto path = text_at_end(bytes, path_offset, wire.path_bytes, ISOSCOPE_PATH_BYTES);
  if (!path) {
    return path.error();
  }
  if (wire.kind < ISOSCOPE_ACCESS_PTRACE || wire.kind > ISOSCOPE_ACCESS_CLONE) {
    return broken(fmt::format("unknown kind {} of an access", wire.kind));
  }
  return Payload(Access{.kind = static_cast<AccessKind>(wire.kind),
                        .home_cgroup_id = wire.home_cgroup_id,
                        .target_cgroup_id = wire.target_cgroup_id,
                        .target_in_cgroup_id = wire.target_in_cgroup_id,
                        .target_tgid = wire.target_tgid,
                        .detail = wire.detail,
                        .error = wire.result < 0 ? -static_cast<std::uint32_t>(wire.result) : 0,
                        .target_inum = wire.target_inum,
                        .path = *std::move(path),
                        .start_boot_ns = wire.start_ns,
                        .cap_effective = wire.cap_effective,
                        .parent_tgid = wire.parent_tgid,
                        .uid = wire.uid,
                        .comm = comm_of(wire.comm),
                        .exe = exe_of(wire.exe)});
}

Result<Payload> decode_cgroup_attach(std::span<const std::byte> bytes) {
  const auto wire = read<isoscope_cgroup_attach>(bytes);
  if (wire.mechanism != ISOSCOPE_MECHANISM_CGROUP_ATTACH &&
      wire.mechanism != ISOSCOPE_MECHANISM_CLONE_INTO_CGROUP) {
    return broken(fmt::format("mechanism {} does not move tasks", wire.mechanism));
  }
  return Payload(CgroupAttached{.to_cgroup_id = wire.to_cgroup_id,
                                .home_cgroup_id = wire.home_cgroup_id,
                                .moved_tgid = wire.moved_tgid,
                                .moved_tid = wire.moved_tid,
                                .comm = comm_of(wire.comm),
                                .mechanism = static_cast<Mechanism>(wire.mechanism),
                                .exe = exe_of(wire.exe)});
}

Result<Payload> decode_exec(std::span<const std::byte> bytes) {
  const auto wire = read<isoscope_exec>(bytes);
  return Payload(Exec{.namespaces = namespaces_of(wire.namespaces),
                      .start_boot_ns = wire.start_ns,
                      .parent_tgid = wire.parent_tgid,
                      .comm = comm_of(wire.comm)});
}

Result<Payload> decode_namespaces(std::span<const std::byte> bytes) {
  const auto wire = read<isoscope_namespaces>(bytes);
  if (wire.mechanism > ISOSCOPE_MECHANISM_CGROUP_ATTACH) {
    return broken(fmt::format("unknown mechanism {}", wire.mechanism));
  }
  if (wire.seen_at < ISOSCOPE_SEEN_AT_COMMIT || wire.seen_at > ISOSCOPE_SEEN_AT_RECHECK) {
    return broken(fmt::format("unknown place {} of a namespace check", wire.seen_at));
  }
  if (wire.answer > ISOSCOPE_ANSWER_REFUSED) {
    return broken(fmt::format("unknown answer {} to a change of namespaces", wire.answer));
  }
  return Payload(NamespacesChanged{.from = namespaces_of(wire.from),
                                   .to = namespaces_of(wire.to),
                                   .home_cgroup_id = wire.home_cgroup_id,
                                   .start_boot_ns = wire.start_ns,
                                   .cap_effective = wire.cap_effective,
                                   .parent_tgid = wire.parent_tgid,
                                   .uid = wire.uid,
                                   .mechanism = static_cast<Mechanism>(wire.mechanism),
                                   .seen_at = static_cast<SeenAt>(wire.seen_at),
                                   .initial = wire.initial != 0,
                                   .comm = comm_of(wire.comm),
                                   .exe = exe_of(wire.exe),
                                   .answer = static_cast<Answer>(wire.answer)});
}

// The others are told by other records.
bool is_told_as_breach(std::uint8_t invariant) {
  return (invariant >= ISOSCOPE_INVARIANT_PID_NAMESPACE && invariant <= ISOSCOPE_INVARIANT_SECCOMP) ||
         invariant == ISOSCOPE_INVARIANT_INITIAL_CRED;
}

Result<Payload> decode_breach(std::span<const std::byte> bytes) {
  const auto wire = read<isoscope_breach>(bytes);
  if (!is_told_as_breach(wire.invariant)) {
    return broken(fmt::format("unknown invariant {}", wire.invariant));
  }
  if (wire.capability_set > ISOSCOPE_CAPABILITY_PERMITTED) {
    return broken(fmt::format("unknown set {} of capabilities", wire.capability_set));
  }
  if (wire.seen_at < ISOSCOPE_SEEN_AT_COMMIT || wire.seen_at > ISOSCOPE_SEEN_AT_EXIT) {
    return broken(fmt::format("unknown place {} of a breach", wire.seen_at));
  }
  if (wire.answer > ISOSCOPE_ANSWER_REFUSED) {
    return broken(fmt::format("unknown answer {} to a breach", wire.answer));
  }
  return Payload(Breach{.invariant = static_cast<Invariant>(wire.invariant),
                        .set = static_cast<CapabilitySet>(wire.capability_set),
                        .before = wire.before,
                        .now = wire.now,
                        .seen_at = static_cast<SeenAt>(wire.seen_at),
                        .home_cgroup_id = wire.home_cgroup_id,
                        .start_boot_ns = wire.start_ns,
                        .cap_effective = wire.cap_effective,
                        .parent_tgid = wire.parent_tgid,
                        .uid = wire.uid,
                        .comm = comm_of(wire.comm),
                        .exe = exe_of(wire.exe),
                        .answer = static_cast<Answer>(wire.answer)});
}

Result<Payload> decode_vcpu(std::span<const std::byte> bytes) {
  const auto wire = read<isoscope_vcpu_event>(bytes);
  return Payload(VcpuSeen{.start_boot_ns = wire.start_ns, .vcpu_id = wire.vcpu_id, .isa = isa_of(wire.isa)});
}

// What a kind looks like: its class, and its size or, where that varies, the least.
struct Shape {
  std::uint16_t event_class;
  std::size_t bytes;
  bool exact;
};

std::optional<Shape> shape_of(std::uint16_t kind) {
  switch (kind) {
    case ISOSCOPE_KIND_VM_EXIT:
      return Shape{ISOSCOPE_CLASS_EXIT, sizeof(isoscope_vm_exit), true};
    case ISOSCOPE_KIND_SWITCH:
      return Shape{ISOSCOPE_CLASS_SWITCH, sizeof(isoscope_switch), true};
    case ISOSCOPE_KIND_CGROUP_MKDIR:
    case ISOSCOPE_KIND_CGROUP_RMDIR:
      return Shape{ISOSCOPE_CLASS_LIFECYCLE, name_offset + 1, false};
    case ISOSCOPE_KIND_CGROUP_ATTACH:
      return Shape{ISOSCOPE_CLASS_LIFECYCLE, sizeof(isoscope_cgroup_attach), true};
    case ISOSCOPE_KIND_EXEC:
      return Shape{ISOSCOPE_CLASS_LIFECYCLE, sizeof(isoscope_exec), true};
    case ISOSCOPE_KIND_NAMESPACES:
      return Shape{ISOSCOPE_CLASS_SECURITY, sizeof(isoscope_namespaces), true};
    case ISOSCOPE_KIND_ACCESS:
      return Shape{ISOSCOPE_CLASS_SECURITY, path_offset + 1, false};
    case ISOSCOPE_KIND_BREACH:
      return Shape{ISOSCOPE_CLASS_SECURITY, sizeof(isoscope_breach), true};
    case ISOSCOPE_KIND_VCPU:
      return Shape{ISOSCOPE_CLASS_LIFECYCLE, sizeof(isoscope_vcpu_event), true};
    default:
      return std::nullopt;
  }
}

// Only for kinds that have a shape.
Result<Payload> decode_payload(std::span<const std::byte> bytes, std::uint16_t kind) {
  switch (kind) {
    case ISOSCOPE_KIND_VM_EXIT:
      return decode_vm_exit(bytes);
    case ISOSCOPE_KIND_SWITCH:
      return decode_switch(bytes);
    case ISOSCOPE_KIND_CGROUP_ATTACH:
      return decode_cgroup_attach(bytes);
    case ISOSCOPE_KIND_EXEC:
      return decode_exec(bytes);
    case ISOSCOPE_KIND_NAMESPACES:
      return decode_namespaces(bytes);
    case ISOSCOPE_KIND_VCPU:
      return decode_vcpu(bytes);
    case ISOSCOPE_KIND_ACCESS:
      return decode_access(bytes);
    case ISOSCOPE_KIND_BREACH:
      return decode_breach(bytes);
    default:
      return decode_cgroup_change(bytes, kind);
  }
}

}  // namespace

Result<Record> decode(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(isoscope_event_header)) {
    return broken(fmt::format("{} bytes do not hold a header", bytes.size()));
  }
  const auto header = read<isoscope_event_header>(bytes);
  if (header.size != bytes.size()) {
    return broken(fmt::format("its size field says {}, it has {} bytes", header.size, bytes.size()));
  }
  const std::optional<Shape> shape = shape_of(header.kind);
  if (!shape) {
    return broken(fmt::format("unknown kind {}", header.kind));
  }
  if (shape->exact ? bytes.size() != shape->bytes : bytes.size() < shape->bytes) {
    return broken(fmt::format("kind {} has {} bytes instead of {}", header.kind, bytes.size(), shape->bytes));
  }
  if (header.event_class != shape->event_class) {
    return broken(fmt::format("kind {} in class {}", header.kind, header.event_class));
  }
  Result<Payload> payload = decode_payload(bytes, header.kind);
  if (!payload) {
    return payload.error();
  }
  return Record{meta_of(header), std::move(*payload)};
}

}  // namespace isoscope::event

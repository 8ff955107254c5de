// SPDX-License-Identifier: Apache-2.0
#include "event/decode.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "abi/event.h"

namespace isoscope::event {
namespace {

using Bytes = std::vector<std::byte>;

template <typename T>
Bytes bytes_of(const T& value, std::size_t size = sizeof(T)) {
  Bytes bytes(size);
  std::memcpy(bytes.data(), &value, size);
  return bytes;
}

isoscope_event_header header(std::uint16_t size, std::uint16_t kind, std::uint16_t event_class) {
  isoscope_event_header h{};
  h.size = size;
  h.kind = kind;
  h.event_class = event_class;
  h.cpu = 3;
  h.tgid = 100;
  h.tid = 101;
  h.ts_ns = 1'000'000'007;
  h.cgroup_id = 0x1'0000'0042;
  return h;
}

template <typename T>
T record(std::uint16_t kind, std::uint16_t event_class) {
  T r{};
  r.header = header(sizeof(T), kind, event_class);
  return r;
}

isoscope_ns_set namespaces(std::uint32_t first) {
  isoscope_ns_set set{};
  for (std::uint32_t i = 0; i < ISOSCOPE_NS_COUNT; i++) {
    set.inum[i] = first + i;
  }
  return set;
}

Bytes vm_exit() {
  auto r = record<isoscope_vm_exit>(ISOSCOPE_KIND_VM_EXIT, ISOSCOPE_CLASS_EXIT);
  r.start_ns = 5;
  r.duration_ns = 60;
  r.split = {.halted_ns = 10, .userspace_ns = 20, .preempted_ns = 25};
  r.guest_rip = 0xffff'ffff'8100'0000;
  r.vcpu_id = 7;
  r.isa = ISOSCOPE_ISA_SVM;
  r.reason = 0x7b;
  return bytes_of(r);
}

Bytes context_switch() {
  auto r = record<isoscope_switch>(ISOSCOPE_KIND_SWITCH, ISOSCOPE_CLASS_SWITCH);
  r.ran_ns = 11;
  r.next_waited_ns = 17;
  r.next_cgroup_id = 12;
  r.next_tgid = 13;
  r.next_tid = 14;
  r.prev_state = 15;
  r.voluntary = 1;
  return bytes_of(r);
}

Bytes cgroup_change(std::uint16_t kind, const std::string& name) {
  isoscope_cgroup_change r{};
  const std::size_t size = offsetof(isoscope_cgroup_change, name) + name.size() + 1;
  r.header = header(static_cast<std::uint16_t>(size), kind, ISOSCOPE_CLASS_LIFECYCLE);
  r.id = 21;
  r.parent_id = 22;
  r.level = 23;
  r.name_bytes = static_cast<std::uint32_t>(name.size() + 1);
  std::memcpy(r.name, name.c_str(), name.size() + 1);
  return bytes_of(r, size);
}

Bytes cgroup_attach() {
  auto r = record<isoscope_cgroup_attach>(ISOSCOPE_KIND_CGROUP_ATTACH, ISOSCOPE_CLASS_LIFECYCLE);
  r.to_cgroup_id = 31;
  r.home_cgroup_id = 32;
  r.moved_tgid = 33;
  r.moved_tid = 34;
  std::memcpy(r.comm, "runc:[2:INIT]", 14);
  r.mechanism = ISOSCOPE_MECHANISM_CLONE_INTO_CGROUP;
  r.exe = {.inode = 35, .device = 36, .pad = 0};
  return bytes_of(r);
}

Bytes exec() {
  auto r = record<isoscope_exec>(ISOSCOPE_KIND_EXEC, ISOSCOPE_CLASS_LIFECYCLE);
  r.namespaces = namespaces(4026531840);
  r.start_ns = 41;
  r.parent_tgid = 42;
  std::memcpy(r.comm, "sh", 3);
  return bytes_of(r);
}

isoscope_namespaces namespaces_changed() {
  auto r = record<isoscope_namespaces>(ISOSCOPE_KIND_NAMESPACES, ISOSCOPE_CLASS_SECURITY);
  r.from = namespaces(100);
  r.to = namespaces(200);
  r.home_cgroup_id = 51;
  r.start_ns = 52;
  r.cap_effective = 53;
  r.parent_tgid = 54;
  r.uid = 55;
  r.mechanism = ISOSCOPE_MECHANISM_SETNS;
  r.seen_at = ISOSCOPE_SEEN_AT_EXIT;
  r.initial = 1;
  std::memset(r.comm, 'x', sizeof(r.comm));  // full: no terminating zero
  r.exe = {.inode = 56, .device = 57, .pad = 0};
  r.answer = ISOSCOPE_ANSWER_KILLED;
  return r;
}

Bytes vcpu() {
  auto r = record<isoscope_vcpu_event>(ISOSCOPE_KIND_VCPU, ISOSCOPE_CLASS_LIFECYCLE);
  r.start_ns = 61;
  r.vcpu_id = 62;
  r.isa = ISOSCOPE_ISA_VMX;
  return bytes_of(r);
}

std::vector<Bytes> one_of_each() {
  return {vm_exit(),
          context_switch(),
          cgroup_change(ISOSCOPE_KIND_CGROUP_MKDIR, "web"),
          cgroup_change(ISOSCOPE_KIND_CGROUP_RMDIR, "web"),
          cgroup_attach(),
          exec(),
          bytes_of(namespaces_changed()),
          vcpu()};
}

template <typename T>
T decoded(const Bytes& bytes) {
  auto result = decode(bytes);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  if (!result || !std::holds_alternative<T>(result->payload)) {
    ADD_FAILURE() << "not the kind that was written";
    return {};
  }
  EXPECT_EQ(result->meta.ts_ns, 1'000'000'007u);
  EXPECT_EQ(result->meta.cgroup_id, 0x1'0000'0042u);
  EXPECT_EQ(result->meta.tgid, 100u);
  EXPECT_EQ(result->meta.tid, 101u);
  EXPECT_EQ(result->meta.cpu, 3u);
  return std::get<T>(result->payload);
}

TEST(EventDecode, VmExit) {
  const auto exit = decoded<VmExit>(vm_exit());
  EXPECT_EQ(exit.start_ns, 5u);
  EXPECT_EQ(exit.duration_ns, 60u);
  EXPECT_EQ(exit.split, (Split{.halted_ns = 10, .userspace_ns = 20, .preempted_ns = 25}));
  EXPECT_EQ(exit.split.kernel_ns(exit.duration_ns), 5u);
  EXPECT_EQ(exit.guest_rip, 0xffff'ffff'8100'0000u);
  EXPECT_EQ(exit.vcpu_id, 7u);
  EXPECT_EQ(exit.isa, Isa::svm);
  EXPECT_EQ(exit.reason, 0x7bu);
}

TEST(EventDecode, PartsThatMakeMoreThanTheExitAreRefused) {
  for (const std::uint64_t userspace_ns : {std::uint64_t{26}, std::uint64_t{0} - 20}) {
    auto bytes = vm_exit();
    const std::size_t at = offsetof(isoscope_vm_exit, split) + offsetof(isoscope_split, userspace_ns);
    std::memcpy(bytes.data() + at, &userspace_ns, sizeof(userspace_ns));
    EXPECT_FALSE(decode(bytes));
  }
}

TEST(EventDecode, AnIsaThatIsNeitherVmxNorSvmIsUnknown) {
  auto bytes = vm_exit();
  const std::uint32_t pvm = 0x40;
  std::memcpy(bytes.data() + offsetof(isoscope_vm_exit, isa), &pvm, sizeof(pvm));
  EXPECT_EQ(decoded<VmExit>(bytes).isa, Isa::unknown);
}

TEST(EventDecode, ContextSwitch) {
  const auto change = decoded<ContextSwitch>(context_switch());
  EXPECT_EQ(change.ran_ns, 11u);
  EXPECT_EQ(change.next_waited_ns, 17u);
  EXPECT_EQ(change.next_cgroup_id, 12u);
  EXPECT_EQ(change.next_tgid, 13u);
  EXPECT_EQ(change.next_tid, 14u);
  EXPECT_EQ(change.prev_state, 15u);
  EXPECT_TRUE(change.voluntary);
}

TEST(EventDecode, CgroupMadeAndRemoved) {
  const auto made = decoded<CgroupMade>(cgroup_change(ISOSCOPE_KIND_CGROUP_MKDIR, "web"));
  EXPECT_EQ(made.id, 21u);
  EXPECT_EQ(made.parent_id, 22u);
  EXPECT_EQ(made.level, 23u);
  EXPECT_EQ(made.name, "web");
  EXPECT_EQ(decoded<CgroupRemoved>(cgroup_change(ISOSCOPE_KIND_CGROUP_RMDIR, "web")).id, 21u);
}

TEST(EventDecode, CgroupNamesOfEveryLength) {
  EXPECT_EQ(decoded<CgroupMade>(cgroup_change(ISOSCOPE_KIND_CGROUP_MKDIR, "")).name, "");
  const std::string longest(ISOSCOPE_NAME_BYTES - 1, 'n');
  EXPECT_EQ(decoded<CgroupMade>(cgroup_change(ISOSCOPE_KIND_CGROUP_MKDIR, longest)).name, longest);
}

TEST(EventDecode, CgroupAttached) {
  const auto attached = decoded<CgroupAttached>(cgroup_attach());
  EXPECT_EQ(attached.to_cgroup_id, 31u);
  EXPECT_EQ(attached.home_cgroup_id, 32u);
  EXPECT_EQ(attached.moved_tgid, 33u);
  EXPECT_EQ(attached.moved_tid, 34u);
  EXPECT_EQ(attached.comm, "runc:[2:INIT]");
  EXPECT_EQ(attached.mechanism, Mechanism::clone_into_cgroup);
}

TEST(EventDecode, Exec) {
  const auto started = decoded<Exec>(exec());
  EXPECT_EQ(started.namespaces[NamespaceType::mnt], 4026531840u);
  EXPECT_EQ(started.namespaces[NamespaceType::user], 4026531847u);
  EXPECT_EQ(started.start_boot_ns, 41u);
  EXPECT_EQ(started.parent_tgid, 42u);
  EXPECT_EQ(started.comm, "sh");
}

TEST(EventDecode, NamespacesChanged) {
  const auto changed = decoded<NamespacesChanged>(bytes_of(namespaces_changed()));
  EXPECT_EQ(changed.from[NamespaceType::mnt], 100u);
  EXPECT_EQ(changed.to[NamespaceType::user], 207u);
  EXPECT_EQ(changed.home_cgroup_id, 51u);
  EXPECT_EQ(changed.start_boot_ns, 52u);
  EXPECT_EQ(changed.cap_effective, 53u);
  EXPECT_EQ(changed.parent_tgid, 54u);
  EXPECT_EQ(changed.uid, 55u);
  EXPECT_EQ(changed.mechanism, Mechanism::setns);
  EXPECT_EQ(changed.seen_at, SeenAt::exit);
  EXPECT_TRUE(changed.initial);
  EXPECT_EQ(changed.comm, std::string(ISOSCOPE_COMM_BYTES, 'x'));
  EXPECT_EQ(changed.exe, (Exe{56, 57}));
  EXPECT_EQ(changed.answer, Answer::killed);
  auto unknown = namespaces_changed();
  unknown.answer = ISOSCOPE_ANSWER_REFUSED + 1;
  EXPECT_FALSE(decode(bytes_of(unknown)));
}

Bytes access(const std::string& path, std::uint32_t kind = ISOSCOPE_ACCESS_SIGNAL) {
  isoscope_access r{};
  const std::size_t size = offsetof(isoscope_access, path) + path.size() + 1;
  r.header = header(static_cast<std::uint16_t>(size), ISOSCOPE_KIND_ACCESS, ISOSCOPE_CLASS_SECURITY);
  r.home_cgroup_id = 71;
  r.start_ns = 72;
  r.cap_effective = 73;
  r.target_cgroup_id = 74;
  r.target_in_cgroup_id = 75;
  r.target_tgid = 76;
  r.parent_tgid = 77;
  r.uid = 78;
  r.kind = kind;
  r.detail = 79;
  r.result = -13;
  r.target_inum = 82;
  r.path_bytes = static_cast<std::uint32_t>(path.size() + 1);
  std::memcpy(r.comm, "sh", 3);
  r.exe = {.inode = 80, .device = 81, .pad = 0};
  std::memcpy(r.path, path.c_str(), path.size() + 1);
  return bytes_of(r, size);
}

TEST(EventDecode, Access) {
  const auto seen = decoded<Access>(access("/run/x.sock"));
  EXPECT_EQ(seen.kind, AccessKind::signal);
  EXPECT_EQ(seen.home_cgroup_id, 71u);
  EXPECT_EQ(seen.start_boot_ns, 72u);
  EXPECT_EQ(seen.cap_effective, 73u);
  EXPECT_EQ(seen.target_cgroup_id, 74u);
  EXPECT_EQ(seen.target_in_cgroup_id, 75u);
  EXPECT_EQ(seen.target_tgid, 76u);
  EXPECT_EQ(seen.parent_tgid, 77u);
  EXPECT_EQ(seen.uid, 78u);
  EXPECT_EQ(seen.detail, 79u);
  EXPECT_EQ(seen.error, 13u);
  EXPECT_EQ(seen.target_inum, 82u);
  EXPECT_EQ(seen.comm, "sh");
  EXPECT_EQ(seen.exe, (Exe{80, 81}));
  EXPECT_EQ(seen.path, "/run/x.sock");
  EXPECT_EQ(decoded<Access>(access("")).path, "");
  EXPECT_FALSE(decode(access("", 0)));
  EXPECT_FALSE(decode(access("", ISOSCOPE_ACCESS_CLONE + 1)));
  Bytes cut = access("/run/x.sock");
  cut.pop_back();
  EXPECT_FALSE(decode(cut));
}

isoscope_breach breach() {
  auto r = record<isoscope_breach>(ISOSCOPE_KIND_BREACH, ISOSCOPE_CLASS_SECURITY);
  r.home_cgroup_id = 81;
  r.start_ns = 82;
  r.cap_effective = 83;
  r.before = 0xa80425fb;
  r.now = 0x1ffffffffff;
  r.parent_tgid = 84;
  r.uid = 85;
  r.invariant = ISOSCOPE_INVARIANT_CAPABILITIES;
  r.capability_set = ISOSCOPE_CAPABILITY_PERMITTED;
  r.seen_at = ISOSCOPE_SEEN_AT_SWITCH;
  std::memcpy(r.comm, "sh", 3);
  r.exe = {.inode = 86, .device = 87, .pad = 0};
  r.answer = ISOSCOPE_ANSWER_REFUSED;
  return r;
}

TEST(EventDecode, Breach) {
  const auto seen = decoded<Breach>(bytes_of(breach()));
  EXPECT_EQ(seen.invariant, Invariant::capabilities);
  EXPECT_EQ(seen.set, CapabilitySet::permitted);
  EXPECT_EQ(seen.before, 0xa80425fbU);
  EXPECT_EQ(seen.now, 0x1ffffffffffU);
  EXPECT_EQ(seen.seen_at, SeenAt::context_switch);
  EXPECT_EQ(seen.home_cgroup_id, 81u);
  EXPECT_EQ(seen.start_boot_ns, 82u);
  EXPECT_EQ(seen.cap_effective, 83u);
  EXPECT_EQ(seen.parent_tgid, 84u);
  EXPECT_EQ(seen.uid, 85u);
  EXPECT_EQ(seen.exe, (Exe{86, 87}));
  EXPECT_EQ(seen.answer, Answer::refused);
  EXPECT_EQ(seen.comm, "sh");
}

// Those of the crossings, and what does not exist.
TEST(EventDecode, BreachesThatNobodyTells) {
  for (const int invariant : {0, 6, 7, 8, 10, 255}) {
    auto r = breach();
    r.invariant = static_cast<std::uint8_t>(invariant);
    EXPECT_FALSE(decode(bytes_of(r))) << invariant;
  }
  auto r = breach();
  r.capability_set = ISOSCOPE_CAPABILITY_PERMITTED + 1;
  EXPECT_FALSE(decode(bytes_of(r)));
  r = breach();
  r.seen_at = ISOSCOPE_SEEN_AT_EXIT + 1;
  EXPECT_FALSE(decode(bytes_of(r)));
}

TEST(EventDecode, VcpuSeen) {
  const auto seen = decoded<VcpuSeen>(vcpu());
  EXPECT_EQ(seen.start_boot_ns, 61u);
  EXPECT_EQ(seen.vcpu_id, 62u);
  EXPECT_EQ(seen.isa, Isa::vmx);
}

TEST(EventDecode, NumbersWithoutMeaningAreRejected) {
  auto r = namespaces_changed();
  r.mechanism = ISOSCOPE_MECHANISM_CGROUP_ATTACH + 1;
  EXPECT_FALSE(decode(bytes_of(r)));
  for (const int seen_at : {0, ISOSCOPE_SEEN_AT_RECHECK + 1, 255}) {
    r = namespaces_changed();
    r.seen_at = static_cast<std::uint8_t>(seen_at);
    EXPECT_FALSE(decode(bytes_of(r))) << seen_at;
  }
  Bytes moved = cgroup_attach();
  const auto at = static_cast<std::ptrdiff_t>(offsetof(isoscope_cgroup_attach, mechanism));
  for (const unsigned mechanism :
       {1U * ISOSCOPE_MECHANISM_SETNS, 1U + ISOSCOPE_MECHANISM_CLONE_INTO_CGROUP}) {
    *(moved.begin() + at) = static_cast<std::byte>(mechanism);
    EXPECT_FALSE(decode(moved)) << mechanism;
  }
}

TEST(EventDecode, EveryTruncationIsRejected) {
  for (const Bytes& whole : one_of_each()) {
    for (std::size_t size = 0; size < whole.size(); size++) {
      // An exact allocation, so that a sanitizer sees a read past its end.
      Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      cut.shrink_to_fit();
      EXPECT_FALSE(decode(cut)) << size;
      if (size >= sizeof(std::uint16_t)) {
        const auto claimed = static_cast<std::uint16_t>(size);
        std::memcpy(cut.data(), &claimed, sizeof(claimed));
        EXPECT_FALSE(decode(cut)) << size << " with a size field that agrees";
      }
    }
  }
}

TEST(EventDecode, ALongerRecordIsRejected) {
  for (const Bytes& whole : one_of_each()) {
    Bytes longer = whole;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(decode(longer)) << "size field of the short one";
    const auto claimed = static_cast<std::uint16_t>(longer.size());
    std::memcpy(longer.data(), &claimed, sizeof(claimed));
    EXPECT_FALSE(decode(longer)) << "size field that agrees";
  }
}

TEST(EventDecode, ASizeFieldThatDisagreesIsRejected) {
  for (const Bytes& whole : one_of_each()) {
    for (std::uint16_t claimed = 0; claimed < 1024; claimed++) {
      Bytes changed = whole;
      std::memcpy(changed.data() + offsetof(isoscope_event_header, size), &claimed, sizeof(claimed));
      EXPECT_EQ(static_cast<bool>(decode(changed)), claimed == whole.size()) << claimed;
    }
  }
}

TEST(EventDecode, EveryOtherKindAndClassIsRejected) {
  for (const Bytes& whole : one_of_each()) {
    std::uint16_t own_class = 0;
    std::memcpy(&own_class, whole.data() + offsetof(isoscope_event_header, event_class), sizeof(own_class));
    for (std::uint16_t value = 0; value < 300; value++) {
      Bytes changed = whole;
      std::memcpy(changed.data() + offsetof(isoscope_event_header, event_class), &value, sizeof(value));
      EXPECT_EQ(static_cast<bool>(decode(changed)), value == own_class) << value;
    }
    for (const std::uint16_t kind : std::to_array<std::uint16_t>({0, 9, 255, 65535})) {
      Bytes changed = whole;
      std::memcpy(changed.data() + offsetof(isoscope_event_header, kind), &kind, sizeof(kind));
      EXPECT_FALSE(decode(changed)) << kind;
    }
  }
}

TEST(EventDecode, CgroupNameMustEndWhereItsLengthSays) {
  const std::size_t length_at = offsetof(isoscope_cgroup_change, name_bytes);
  const std::size_t name_at = offsetof(isoscope_cgroup_change, name);
  const Bytes good = cgroup_change(ISOSCOPE_KIND_CGROUP_MKDIR, "web");
  for (const std::uint32_t name_bytes : {0u, 3u, 5u, 257u, 0xffffffffu, 0xfffffffcu}) {
    Bytes bytes = good;
    std::memcpy(bytes.data() + length_at, &name_bytes, sizeof(name_bytes));
    EXPECT_FALSE(decode(bytes)) << name_bytes;
  }
  Bytes unterminated = good;
  unterminated.back() = std::byte{'!'};
  EXPECT_FALSE(decode(unterminated));
  Bytes ends_early = good;
  ends_early[name_at + 1] = std::byte{0};
  EXPECT_FALSE(decode(ends_early));
}

TEST(EventDecode, UnalignedInput) {
  for (const Bytes& whole : one_of_each()) {
    for (std::size_t shift = 1; shift < 8; shift++) {
      Bytes moved(shift);
      moved.insert(moved.end(), whole.begin(), whole.end());
      EXPECT_TRUE(decode(std::span(moved).subspan(shift))) << shift;
    }
  }
}

// Nothing to see without a sanitizer but that it comes back; the sizes and kinds are often right, so that the
// payload decoders are reached.
TEST(EventDecode, RandomBytesNeverCrash) {
  std::mt19937_64 random(20240229);
  const auto seeds = one_of_each();
  std::size_t accepted = 0;
  for (int round = 0; round < 200'000; round++) {
    Bytes bytes;
    if (round % 2 == 0) {
      bytes = seeds[random() % seeds.size()];
      for (std::uint64_t flips = 1 + random() % 4; flips > 0; flips--) {
        bytes[random() % bytes.size()] = static_cast<std::byte>(random());
      }
    } else {
      bytes.resize(random() % 400);
      for (auto& byte : bytes) {
        byte = static_cast<std::byte>(random() % 9);
      }
      if (bytes.size() >= 6) {
        const std::uint16_t start[] = {static_cast<std::uint16_t>(bytes.size()),
                                       static_cast<std::uint16_t>(random() % 10),
                                       static_cast<std::uint16_t>(random() % 5)};
        std::memcpy(bytes.data(), start, sizeof(start));
      }
    }
    bytes.shrink_to_fit();
    accepted += decode(bytes) ? 1u : 0u;
  }
  EXPECT_GT(accepted, 1000u);  // else the mutations miss what they are for
  EXPECT_LT(accepted, 199'000u);
}

TEST(EventRecord, Words) {
  EXPECT_STREQ(to_string(NamespaceType::mnt), "mnt");
  EXPECT_STREQ(to_string(NamespaceType::user), "user");
  EXPECT_STREQ(to_string(Mechanism::none), "none");
  EXPECT_STREQ(to_string(Mechanism::cgroup_attach), "cgroup_attach");
  EXPECT_STREQ(to_string(Mechanism::clone_into_cgroup), "clone_into_cgroup");
  EXPECT_STREQ(to_string(SeenAt::context_switch), "switch");
  EXPECT_STREQ(to_string(SeenAt::recheck), "recheck");
}

}  // namespace
}  // namespace isoscope::event

// SPDX-License-Identifier: Apache-2.0
#include "identity/cgroup_path.h"

#include <algorithm>
#include <array>
#include <utility>

namespace isoscope::identity {

namespace {

constexpr std::size_t full_id_digits = 64;
constexpr std::size_t short_id_digits = 12;

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

// Removes a prefix or suffix; false if it is not there.
bool eat_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

bool eat_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) {
    return false;
  }
  text.remove_suffix(suffix.size());
  return true;
}

// systemd writes characters that a unit name cannot hold as \xNN (`-` is \x2d).
std::string unescape(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string result;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text.substr(i).starts_with("\\x") && i + 3 < text.size() && is_hex(text[i + 2]) &&
        is_hex(text[i + 3])) {
      result += static_cast<char>(digit(text[i + 2]) * 16 + digit(text[i + 3]));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

CgroupIdentity container(std::string_view runtime, std::string_view id) {
  return {.kind = UnitKind::container,
          .id = std::string(id),
          .runtime = std::string(runtime),
          .name = shown_id(id)};
}

// A VM; its id is the path of its cgroup until its command line tells the uuid.
CgroupIdentity vm(std::string_view runtime, std::string_view name) {
  return {.kind = UnitKind::vm, .id = {}, .runtime = std::string(runtime), .name = std::string(name)};
}

// Names of the form PREFIX-ID.scope (systemd cgroup driver) or PREFIX-ID (cgroupfs driver).
struct Prefix {
  std::string_view text;
  std::string_view runtime;
};
constexpr auto id_prefixes = std::to_array<Prefix>({
    {"docker-", "docker"},
    {"cri-containerd-", "containerd"},
    {"nerdctl-", "containerd"},
    {"crio-", "crio"},
    {"libpod-payload-", "podman"},  // cgroups=split: inside the service that started it
    {"libpod-", "podman"},          // `libpod-conmon-ID`, the monitor, has no id in this place
});

std::optional<CgroupIdentity> prefixed_container(std::string_view component) {
  eat_suffix(component, ".scope");
  for (const Prefix& prefix : id_prefixes) {
    std::string_view id = component;
    if (eat_prefix(id, prefix.text) && is_full_id(id)) {
      return container(prefix.runtime, id);
    }
  }
  return std::nullopt;
}

// SLICE:PREFIX:ID: a path meant for the systemd driver, taken literally by the cgroupfs driver.
std::optional<CgroupIdentity> colon_container(std::string_view component) {
  const std::size_t last = component.rfind(':');
  if (last == std::string_view::npos || !is_full_id(component.substr(last + 1))) {
    return std::nullopt;
  }
  const std::string_view id = component.substr(last + 1);
  component.remove_suffix(component.size() - last);
  const std::size_t before = component.rfind(':');
  if (before == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view runtime = component.substr(before + 1);
  for (const Prefix& prefix : id_prefixes) {
    if (prefix.text.substr(0, prefix.text.size() - 1) == runtime) {
      return container(prefix.runtime, id);
    }
  }
  return std::nullopt;
}

// Domain number and name, `3-web`; behind `embed-` and a hash if a program has libvirt's driver built in.
// libvirt drops what a host name cannot hold, so that the command line knows the name better.
std::optional<std::string_view> libvirt_name(std::string_view text) {
  constexpr std::size_t hash_digits = 8;
  if (eat_prefix(text, "embed-")) {
    text.remove_prefix(std::min(text.size(), hash_digits));
    if (!eat_prefix(text, "-")) {
      return std::nullopt;
    }
  }
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || text[digits] != '-' || digits + 1 == text.size()) {
    return std::nullopt;
  }
  return text.substr(digits + 1);
}

// libvirt's `qemu-3-web`: driver, number, name. The form without a number, `qemu-web`, ended with
// libvirt 1.3, long before libvirt knew cgroup v2, and a person may call a container so: it is not believed.
std::optional<CgroupIdentity> libvirt_machine(std::string_view text) {
  struct Driver {
    std::string_view prefix;
    bool is_vm;
  };
  for (const Driver driver : {Driver{"qemu-", true}, {"ch-", true}, {"lxc-", false}}) {
    std::string_view rest = text;
    if (!eat_prefix(rest, driver.prefix)) {
      continue;
    }
    if (const auto name = libvirt_name(rest)) {
      return driver.is_vm ? vm("libvirt", *name) : container("libvirt-lxc", *name);
    }
  }
  return std::nullopt;
}

// Scopes and services that systemd-machined knows; a machine is whatever registered there. libvirt without
// machined writes cgroups of its own: `/machine/qemu-3-web.libvirt-qemu`.
std::optional<CgroupIdentity> machine(std::string_view component, std::string_view parent) {
  for (const std::string_view suffix : {".libvirt-qemu", ".libvirt-ch", ".libvirt-lxc"}) {
    std::string_view name = component;
    if (eat_suffix(name, suffix) && !name.empty()) {
      const auto found = libvirt_machine(name);
      const bool is_container = suffix == ".libvirt-lxc";
      return found ? found : is_container ? container("libvirt-lxc", name) : vm("libvirt", name);
    }
  }
  if (std::string_view name = component;
      eat_prefix(name, "systemd-nspawn@") && eat_suffix(name, ".service") && !name.empty()) {
    return container("systemd-nspawn", unescape(name));
  }
  // libvirt's <partition> /machine/web is machine-web.slice.
  const bool in_slice =
      parent == "machine.slice" || (parent.starts_with("machine-") && parent.ends_with(".slice"));
  std::string_view escaped = component;
  if (!in_slice || !eat_prefix(escaped, "machine-") || !eat_suffix(escaped, ".scope") || escaped.empty()) {
    return std::nullopt;
  }
  const std::string name = unescape(escaped);
  const auto found = libvirt_machine(name);
  return found ? found : container("systemd-machined", name);
}

// Proxmox VE runs each QEMU in a scope called by the VM's number.
std::optional<CgroupIdentity> proxmox_vm(std::string_view component, std::string_view parent) {
  if (parent != "qemu.slice" || !eat_suffix(component, ".scope") || component.empty() ||
      component.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  return vm("proxmox", component);
}

// Kata's cgroup for the VMM of a sandbox, where that is not the pod's own: `/kata_overhead/ID`, or before 2.0
// `kata_ID`, beside the containers of a pod that is known better.
std::optional<CgroupIdentity> kata_sandbox(std::string_view component, std::string_view parent) {
  std::string_view id = component;
  if ((parent == "kata_overhead" || eat_prefix(id, "kata_")) && is_full_id(id)) {
    return container("kata", id);
  }
  return std::nullopt;
}

// Containers that carry a name chosen by a person: lxc, and runc and crun used alone with systemd.
std::optional<CgroupIdentity> named_container(std::string_view component) {
  if (std::string_view name = component; eat_prefix(name, "lxc.payload.") && !name.empty()) {
    return container("lxc", name);
  }
  for (const std::string_view runtime : {"runc", "crun"}) {
    std::string_view name = component;
    if (eat_prefix(name, runtime) && eat_prefix(name, "-") && eat_suffix(name, ".scope") && !name.empty()) {
      return container(runtime, name);
    }
  }
  return std::nullopt;
}

// Uids are 8-4-4-4-12 digits; those of static pods are 32 digits without dashes.
std::optional<std::string> pod_uid(std::string_view text) {
  std::string uid(text);
  std::replace(uid.begin(), uid.end(), '_', '-');  // systemd's driver, as `-` separates slices
  constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const bool dashed = std::equal(uid.begin(), uid.end(), shape.begin(), shape.end(),
                                 [](char c, char wanted) { return wanted == '-' ? c == '-' : is_hex(c); });
  const bool plain = uid.size() == 32 && std::all_of(uid.begin(), uid.end(), is_hex);
  if (!dashed && !plain) {
    return std::nullopt;
  }
  return uid;
}

std::optional<CgroupIdentity> pod(std::string_view component, bool under_kubepods) {
  std::string_view rest = component;
  std::string runtime = "kubernetes";
  std::optional<std::string> uid;
  if (eat_suffix(rest, ".slice")) {
    const std::size_t at = rest.rfind("-pod");
    if (rest.find("kubepods") < at && at != std::string_view::npos) {
      uid = pod_uid(rest.substr(at + 4));
    } else if (const std::size_t podman = rest.find("-libpod_pod_");
               podman != std::string_view::npos && is_full_id(rest.substr(podman + 12))) {
      runtime = "podman";
      uid = std::string(rest.substr(podman + 12));
    }
  } else if (under_kubepods && eat_prefix(rest, "pod")) {
    uid = pod_uid(rest);
  }
  if (!uid) {
    return std::nullopt;
  }
  return CgroupIdentity{.kind = UnitKind::pod,
                        .id = *uid,
                        .runtime = std::move(runtime),
                        .name = shown_id(*uid),
                        .root_bytes = 0,
                        .pod = *uid};
}

// Walks a path from the root and keeps the innermost unit.
class Walk {
 public:
  explicit Walk(std::string_view path) : path_(path) {}

  CgroupIdentity run() {
    for (std::size_t begin = 1; begin < path_.size();) {
      const std::size_t end = std::min(path_.find('/', begin), path_.size());
      visit(path_.substr(begin, end - begin), end);
      begin = end + 1;
    }
    if (unit_.kind == UnitKind::cgroup) {
      unit_ = {.kind = UnitKind::cgroup,
               .id = std::string(path_),
               .runtime = {},
               .name = std::string(path_),
               .root_bytes = path_.size()};
    }
    return std::move(unit_);
  }

 private:
  void visit(std::string_view component, std::size_t end) {
    if (auto found = find(component)) {
      take(*std::move(found), end);
    } else if (!is_isolated()) {
      visit_service(component, end);
    }
    under_kubepods_ = under_kubepods_ || component == "kubepods";
    parent_ = component;
  }

  // A container may name the cgroups inside it as it likes. Whatever it says, it stays a container or becomes
  // another one: never a machine or a service, of which less is asked.
  std::optional<CgroupIdentity> find(std::string_view component) const {
    if (is_full_id(component)) {
      if (parent_ == "docker") {
        return container("docker", component);
      }
      if (unit_.kind == UnitKind::pod) {
        return container("", component);
      }
    }
    if (unit_.kind != UnitKind::pod) {
      if (auto found = kata_sandbox(component, parent_)) {
        return found;
      }
    }
    // `/lxc/web`: LXC before 4.0, and Proxmox VE. Only at the root or in such a container: anybody may call a
    // cgroup `lxc`.
    constexpr std::string_view lxc = "/lxc/";
    const bool is_below_lxc = path_.starts_with(lxc) && component.data() == path_.data() + lxc.size();
    if (!component.empty() && (is_below_lxc || (parent_ == "lxc" && unit_.runtime == "lxc"))) {
      return container("lxc", component);
    }
    if (auto found = prefixed_container(component)) {
      return found;
    }
    if (auto found = colon_container(component)) {
      return found;
    }
    if (auto found = named_container(component)) {
      return found;
    }
    for (auto& found : {machine(component, parent_), proxmox_vm(component, parent_)}) {
      if (found && !(found->kind == UnitKind::vm && is_isolated())) {
        return found;
      }
    }
    return pod(component, under_kubepods_);
  }

  bool is_isolated() const {
    return unit_.kind == UnitKind::container || unit_.kind == UnitKind::pod || unit_.kind == UnitKind::vm;
  }

  // The innermost service, except that the scopes a user's manager starts (`app-firefox-1.scope`) are units
  // of systemd like services, and not a part of `user@1000.service`.
  void visit_service(std::string_view component, std::size_t end) {
    if (component.ends_with(".service")) {
      take({.kind = UnitKind::service, .id = {}, .runtime = {}, .name = std::string(component)}, end);
    } else if (component.ends_with(".scope") && component != "init.scope") {
      unit_ = {};
    }
  }

  void take(CgroupIdentity unit, std::size_t end) {
    if (unit.pod.empty()) {
      unit.pod = unit_.pod;
    }
    unit_ = std::move(unit);
    unit_.root_bytes = end;
    if (unit_.id.empty()) {
      unit_.id = path_.substr(0, end);
    }
  }

  std::string_view path_;
  std::string_view parent_;
  bool under_kubepods_ = false;
  CgroupIdentity unit_;
};

}  // namespace

std::optional<CgroupIdentity> parse_cgroup_path(std::string_view path) {
  if (path.size() < 2 || path.front() != '/') {
    return std::nullopt;
  }
  return Walk(path).run();
}

std::string shown_id(std::string_view id) {
  return is_full_id(id) ? short_id(id) : std::string(id);
}

std::string short_id(std::string_view id) {
  return std::string(id.substr(0, short_id_digits));
}

bool is_full_id(std::string_view text) {
  return text.size() == full_id_digits && std::all_of(text.begin(), text.end(), is_hex);
}

}  // namespace isoscope::identity

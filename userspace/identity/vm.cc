// SPDX-License-Identifier: Apache-2.0
#include "identity/vm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

namespace isoscope::identity {

namespace {

using Arguments = std::vector<std::string>;

// The value of `--NAME VALUE` or `--NAME=VALUE`; of several the last, as the VMMs take it.
std::optional<std::string> option(const Arguments& argv, std::string_view name) {
  std::optional<std::string> value;
  for (std::size_t i = 1; i < argv.size(); i++) {
    std::string_view argument = argv[i];
    if (argument == name && i + 1 < argv.size()) {
      value = argv[++i];
    } else if (argument.starts_with(name) && argument.substr(name.size()).starts_with("=")) {
      value = argument.substr(name.size() + 1);
    }
  }
  return value;
}

// QEMU takes `-name` as well as `--name`, and no `=`.
std::optional<std::string> qemu_option(const Arguments& argv, std::string_view name) {
  std::optional<std::string> value;
  for (std::size_t i = 1; i + 1 < argv.size(); i++) {
    std::string_view argument = argv[i];
    if (argument.starts_with("--")) {
      argument.remove_prefix(1);
    }
    if (argument == name) {
      value = argv[++i];
    }
  }
  return value;
}

// One `KEY=VALUE` of a list separated by commas, where `,,` is a comma inside a value (QEMU's QemuOpts).
// A first item without `=` has the key implied_key.
std::optional<std::string> list_value(std::string_view list, std::string_view implied_key,
                                      std::string_view key) {
  std::optional<std::string> value;
  for (bool first = true; !list.empty(); first = false) {
    std::string item;
    while (!list.empty() && (list.front() != ',' || list.starts_with(",,"))) {
      const bool is_comma = list.front() == ',';
      item += list.front();
      list.remove_prefix(is_comma ? 2 : 1);
    }
    if (!list.empty()) {
      list.remove_prefix(1);
    }
    const std::size_t equals = item.find('=');
    if (equals == std::string::npos) {
      if (first && key == implied_key) {
        value = item;
      }
    } else if (std::string_view(item).substr(0, equals) == key) {
      value = item.substr(equals + 1);
    }
  }
  return value;
}

// In lower case; empty if it does not look like one.
std::string as_uuid(std::string text) {
  constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const auto fits = [](char c, char wanted) {
    return wanted == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
  };
  if (!std::equal(text.begin(), text.end(), shape.begin(), shape.end(), fits)) {
    return {};
  }
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return text;
}

struct Identity {
  std::string name;
  std::string uuid;
};

Identity qemu(const Arguments& argv) {
  return {.name = list_value(qemu_option(argv, "-name").value_or(""), "guest", "guest").value_or(""),
          .uuid = qemu_option(argv, "-uuid").value_or("")};
}

Identity firecracker(const Arguments& argv) {
  return {.name = option(argv, "--id").value_or(""), .uuid = {}};
}

Identity cloud_hypervisor(const Arguments& argv) {
  return {.name = {}, .uuid = list_value(option(argv, "--platform").value_or(""), "", "uuid").value_or("")};
}

Identity by_name_option(const Arguments& argv) {
  return {.name = option(argv, "--name").value_or(""), .uuid = {}};
}

struct Vmm {
  std::string_view exe;  // base name, or its beginning where it ends with `*`
  std::string_view name;
  Identity (*identify)(const Arguments&);
};
constexpr auto vmms = std::to_array<Vmm>({
    {"qemu*", "qemu", qemu},  // qemu-system-x86_64, qemu-kvm
    {"kvm", "qemu", qemu},
    {"firecracker*", "firecracker", firecracker},  // release binaries carry version and machine
    {"cloud-hypervisor*", "cloud-hypervisor", cloud_hypervisor},
    {"crosvm", "crosvm", by_name_option},
    {"lkvm*", "kvmtool", by_name_option},
    {"kvmtool", "kvmtool", by_name_option},
});

bool matches(const Vmm& vmm, std::string_view exe_base) {
  if (vmm.exe.ends_with('*')) {
    return exe_base.starts_with(vmm.exe.substr(0, vmm.exe.size() - 1));
  }
  return exe_base == vmm.exe;
}

}  // namespace

Vm parse_vmm_command_line(std::uint32_t pid, std::string_view exe_base,
                          const std::vector<std::string>& argv) {
  const auto vmm = std::find_if(vmms.begin(), vmms.end(), [&](const Vmm& v) { return matches(v, exe_base); });
  Identity identity;
  std::string vmm_name(exe_base);
  if (vmm != vmms.end()) {
    identity = vmm->identify(argv);
    vmm_name = vmm->name;
  }
  const std::string by_pid = fmt::format("pid:{}", pid);
  std::string uuid = as_uuid(std::move(identity.uuid));
  return Vm{.id = uuid.empty() ? by_pid : uuid,
            .name = identity.name.empty() ? by_pid : identity.name,
            .uuid = std::move(uuid),
            .vmm = vmm_name.empty() ? "unknown" : std::move(vmm_name),
            .pid = pid};
}

Vm read_vm(std::uint32_t pid, const std::string& proc_root) {
  const std::string link = read_link(fmt::format("{}/{}/exe", proc_root, pid));
  std::string_view exe = link;
  constexpr std::string_view deleted = " (deleted)";  // after an upgrade of the package
  if (exe.ends_with(deleted)) {
    exe.remove_suffix(deleted.size());
  }
  exe.remove_prefix(exe.rfind('/') == std::string_view::npos ? 0 : exe.rfind('/') + 1);
  return parse_vmm_command_line(pid, exe, read_command_line(pid, proc_root));
}

}  // namespace isoscope::identity

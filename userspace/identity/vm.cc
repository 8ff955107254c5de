// SPDX-License-Identifier: Apache-2.0
#include "identity/vm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>

#include "identity/vm_scope.h"
#include "identity/vmm_arguments.h"

namespace isoscope::identity {

namespace {

// A name stands in every record of its VM, and a command line may have 2 MB.
constexpr std::size_t longest_name = 255;

struct Identity {
  std::string name;
  std::string uuid;
};

Identity qemu(const VmmProcess& process) {
  Identity identity;
  for (const std::string_view list : qemu_options(process.argv, "name")) {  // QEMU merges them
    identity.name = qemu_list_value(list, "guest", "guest").value_or(std::move(identity.name));
  }
  for (const std::string_view list : qemu_options(process.argv, "smbios")) {
    if (qemu_list_value(list, "", "type") == "1") {
      identity.uuid = qemu_list_value(list, "", "uuid").value_or(std::move(identity.uuid));
    }
  }
  for (const std::string_view uuid : qemu_options(process.argv, "uuid")) {
    identity.uuid = uuid;
  }
  if (identity.name.empty()) {
    for (const std::string_view device : qemu_options(process.argv, "avd")) {  // the Android emulator
      identity.name = device;
    }
  }
  return identity;
}

// Behind the jailer the default socket is the same for all, and `--id` is always there.
Identity firecracker(const VmmProcess& process) {
  std::string id = option(process.argv, "id").value_or("");
  if (id.empty()) {
    id = name_of_socket(option(process.argv, "api-sock").value_or(""));
  }
  return {.name = std::move(id), .uuid = {}};
}

// It has no option for a name. The socket is `PATH`, `path=PATH` or `fd=N`.
Identity cloud_hypervisor(const VmmProcess& process) {
  const std::string platform = option(process.argv, "platform").value_or("");
  const std::string socket = option(process.argv, "api-socket").value_or("");
  const bool is_list = socket.starts_with("path=") || socket.starts_with("fd=");
  Identity identity{
      .name = name_of_socket(is_list ? bracketed_list_value(socket, "path").value_or("") : socket),
      .uuid = bracketed_list_value(platform, "uuid").value_or("")};
  if (identity.name.empty()) {
    // `ds=nocloud;...` is a message to cloud-init, and the same for many.
    const std::string serial = bracketed_list_value(platform, "serial_number").value_or("");
    identity.name = serial.find_first_of("=;") == std::string::npos ? serial : "";
  }
  return identity;
}

Identity crosvm(const VmmProcess& process) {
  std::string name = option(process.argv, "name").value_or("");
  if (name.empty()) {
    name = name_of_socket(option(process.argv, "socket", 's').value_or(""));
  }
  return {.name = std::move(name), .uuid = {}};
}

// lkvm itself calls a guest without a name `guest-PID`, unless its root file system has a name.
Identity kvmtool(const VmmProcess& process) {
  std::string name = option(process.argv, "name", 'n').value_or("");
  if (name.empty() && process.inner_pid != 0 && !option(process.argv, "disk", 'd')) {
    name = fmt::format("guest-{}", process.inner_pid);
  }
  return {.name = std::move(name), .uuid = {}};
}

// Dragonball is a library inside the shim: `containerd-shim-kata-v2 -namespace NS -id SANDBOX ...`.
Identity kata_shim(const VmmProcess& process) {
  const auto ids = qemu_options(process.argv, "id");
  return {.name = ids.empty() ? "" : std::string(ids.back()), .uuid = {}};
}

// `runsc-sandbox FLAGS boot FLAGS CONTAINER`
Identity gvisor(const VmmProcess& process) {
  const Arguments& argv = process.argv;
  const auto boot = std::find(argv.begin(), argv.end(), "boot");
  const bool has_name = argv.end() - boot > 1 && !argv.back().starts_with('-');
  return {.name = has_name ? argv.back() : "", .uuid = {}};
}

// `krunvm start NAME ...`
Identity krunvm(const VmmProcess& process) {
  const Arguments& argv = process.argv;
  const auto start = std::find(argv.begin(), argv.end(), "start");
  const bool has_name = argv.end() - start > 1 && !(start + 1)->starts_with('-');
  return {.name = has_name ? *(start + 1) : "", .uuid = {}};
}

// `VBoxHeadless --comment NAME --startvm UUID`, where KVM is its backend.
Identity virtualbox(const VmmProcess& process) {
  return {.name = option(process.argv, "comment").value_or(""),
          .uuid = option(process.argv, "startvm").value_or("")};
}

struct Vmm {
  std::string_view exe;  // base name, or its beginning where it ends with `*`
  std::string_view name;
  Identity (*identify)(const VmmProcess&);
};
constexpr auto vmms = std::to_array<Vmm>({
    {"qemu*", "qemu", qemu},  // qemu-system-x86_64, qemu-kvm
    {"kvm", "qemu", qemu},
    {"firecracker*", "firecracker", firecracker},  // release binaries carry version and machine
    {"cloud-hypervisor*", "cloud-hypervisor", cloud_hypervisor},
    {"crosvm", "crosvm", crosvm},
    {"lkvm*", "kvmtool", kvmtool},
    {"kvmtool", "kvmtool", kvmtool},
    {"stratovirt*", "stratovirt", qemu},  // its options are QEMU's
    {"containerd-shim-kata*", "kata-dragonball", kata_shim},
    {"runsc*", "gvisor", gvisor},
    {"krunvm", "krunvm", krunvm},
    {"VBoxHeadless", "virtualbox", virtualbox},
    {"VirtualBoxVM", "virtualbox", virtualbox},
});

bool matches(const Vmm& vmm, std::string_view exe) {
  if (vmm.exe.ends_with('*')) {
    return exe.starts_with(vmm.exe.substr(0, vmm.exe.size() - 1));
  }
  return exe == vmm.exe;
}

// NixOS hides programs behind scripts: `.qemu-system-x86_64-wrapped`.
std::string_view without_wrapping(std::string_view exe) {
  constexpr std::string_view suffix = "-wrapped";
  if (exe.starts_with('.') && exe.ends_with(suffix) && exe.size() > suffix.size() + 1) {
    exe.remove_prefix(1);
    exe.remove_suffix(suffix.size());
  }
  return exe;
}

// In lower case; empty if it does not look like one, or is the one that stands for none.
std::string as_uuid(std::string text) {
  constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const auto fits = [](char c, char wanted) {
    return wanted == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
  };
  if (!std::equal(text.begin(), text.end(), shape.begin(), shape.end(), fits) ||
      text.find_first_not_of("0-") == std::string::npos) {
    return {};
  }
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return text;
}

// Not within a character of UTF-8.
std::string shortened(std::string text) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  if (text.size() <= longest_name) {
    return text;
  }
  std::size_t end = longest_name;
  for (int i = 0; i < 3 && continues(text[end]); i++) {
    end--;
  }
  text.resize(end);
  return text;
}

}  // namespace

std::string name_by_pid(std::uint32_t pid) {
  return fmt::format("pid:{}", pid);
}

Vm identify_vm(const VmmProcess& process) {
  const std::string_view exe = without_wrapping(process.exe);
  const auto vmm = std::find_if(vmms.begin(), vmms.end(), [&](const Vmm& v) { return matches(v, exe); });
  Identity identity;
  std::string vmm_name(exe);
  if (vmm != vmms.end()) {
    identity = vmm->identify(process);
    vmm_name = vmm->name;
  }
  const std::string by_pid = name_by_pid(process.pid);
  std::string uuid = as_uuid(std::move(identity.uuid));
  return Vm{.id = uuid.empty() ? by_pid : uuid,
            .name = identity.name.empty() ? by_pid : shortened(std::move(identity.name)),
            .uuid = std::move(uuid),
            .vmm = vmm_name.empty() ? "unknown" : shortened(std::move(vmm_name)),
            .pid = process.pid,
            .cgroup_path = process.cgroup_path};
}

Vm read_vm(std::uint32_t pid, const std::string& proc_root, kernel::CgroupController controller) {
  const auto file = [&](std::string_view name) {
    auto text = read_small_file(fmt::format("{}/{}/{}", proc_root, pid, name));
    return text ? *std::move(text) : std::string();
  };
  const std::string link = read_link(fmt::format("{}/{}/exe", proc_root, pid));
  std::string_view exe = link;
  constexpr std::string_view deleted = " (deleted)";  // after an upgrade of the package
  if (exe.ends_with(deleted)) {
    exe.remove_suffix(deleted.size());
  }
  exe.remove_prefix(exe.rfind('/') == std::string_view::npos ? 0 : exe.rfind('/') + 1);
  return identify_vm({.pid = pid,
                      .inner_pid = parse_inner_pid(file("status")).value_or(0),
                      .exe = std::string(exe),
                      .argv = read_command_line(pid, proc_root),
                      .cgroup_path = read_cgroup_path(pid, proc_root, controller).value_or("")});
}

}  // namespace isoscope::identity

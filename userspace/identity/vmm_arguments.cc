// SPDX-License-Identifier: Apache-2.0
#include "identity/vmm_arguments.h"

#include <algorithm>
#include <array>

namespace isoscope::identity {

namespace {

// File and folder names that say nothing of a VM: of the VMM, of what kind of socket it is, of the system.
constexpr auto common_names = std::to_array<std::string_view>({
    "api",         "api-sock", "ch",      "ch-api",   "clh",        "clh-api",    "cloud-hypervisor",
    "control",     "crosvm",   "fc",      "internal", "jailer",     "lib",        "libvirt",
    "firecracker", "mnt",      "opt",     "root",     "run",        "sandbox",    "shm",
    "sock",        "socket",   "sockets", "srv",      "state",      "tmp",        "var",
    "vm",          "vmm",      "vms",     "dev",      "api-socket", "hypervisor", "crosvm_control",
    "vm-api",
});

bool is_common(std::string_view name) {
  return name.empty() || std::find(common_names.begin(), common_names.end(), name) != common_names.end();
}

// Folders that belong to a person: their name is not a VM's.
std::string_view without_home(std::string_view path) {
  for (const std::string_view home : {"/home/", "/run/user/", "/var/run/user/"}) {
    if (path.starts_with(home)) {
      path.remove_prefix(home.size());
      path.remove_prefix(std::min(path.find('/'), path.size()));
      return path;
    }
  }
  return path;
}

std::string_view without_socket_suffix(std::string_view name) {
  for (const std::string_view suffix : {".sock", ".socket", "-socket"}) {
    if (name.ends_with(suffix)) {
      return name.substr(0, name.size() - suffix.size());
    }
  }
  return name;
}

}  // namespace

std::optional<std::string> option(const Arguments& argv, std::string_view name, char letter) {
  std::optional<std::string> value;
  for (std::size_t i = 1; i < argv.size() && argv[i] != "--"; i++) {
    std::string_view argument = argv[i];
    const bool is_short =
        letter != '\0' && argument.size() >= 2 && argument[0] == '-' && argument[1] == letter;
    const bool is_long = argument.starts_with("--") && argument.substr(2).starts_with(name);
    if (!is_short && !is_long) {
      continue;
    }
    argument.remove_prefix(2 + (is_long ? name.size() : 0));
    if (argument.empty()) {
      if (i + 1 < argv.size()) {
        value = argv[++i];
      }
    } else if (is_short) {
      value = argument;
    } else if (argument.front() == '=') {
      value = argument.substr(1);
    }
  }
  return value;
}

std::vector<std::string_view> qemu_options(const Arguments& argv, std::string_view name) {
  std::vector<std::string_view> values;
  for (std::size_t i = 1; i + 1 < argv.size(); i++) {
    std::string_view argument = argv[i];
    if (argument.starts_with("--")) {
      argument.remove_prefix(1);
    }
    if (argument.starts_with('-') && argument.substr(1) == name) {
      values.emplace_back(argv[++i]);
    }
  }
  return values;
}

std::optional<std::string> qemu_list_value(std::string_view list, std::string_view implied_key,
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

std::optional<std::string> bracketed_list_value(std::string_view list, std::string_view key) {
  std::optional<std::string> value;
  std::string item;
  int brackets = 0;
  bool quoted = false;
  const auto take = [&] {
    const std::size_t equals = item.find('=');
    if (equals != std::string::npos && std::string_view(item).substr(0, equals) == key) {
      value = item.substr(equals + 1);
    }
    item.clear();
  };
  for (const char c : list) {
    brackets += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && brackets <= 0 && !quoted) {
      take();
    } else {
      item += c;
    }
  }
  take();
  return value;
}

std::string name_of_socket(std::string_view path) {
  path = without_home(path);
  for (bool is_file = true; !path.empty(); is_file = false) {
    const std::size_t slash = path.rfind('/');
    const std::string_view name = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
    const std::string_view bare = is_file ? without_socket_suffix(name) : name;
    if (!is_common(bare)) {
      return std::string(bare);
    }
    path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
  return {};
}

}  // namespace isoscope::identity

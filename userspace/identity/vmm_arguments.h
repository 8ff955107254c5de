// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace isoscope::identity {

// A command line, taken apart as the VMMs do it. argv[0] is the program; nothing of it is trusted to be
// there.
using Arguments = std::vector<std::string>;

// `--NAME VALUE` or `--NAME=VALUE`, and with a letter `-n VALUE` or `-nVALUE`; of several the last. What
// comes after `--` is the guest's.
std::optional<std::string> option(const Arguments& argv, std::string_view name, char letter = '\0');

// QEMU's way, and that of what is modelled on it: `-name VALUE` or `--name VALUE`, no `=`. All of them, in
// order.
std::vector<std::string_view> qemu_options(const Arguments& argv, std::string_view name);

// One `KEY=VALUE` of QEMU's lists: separated by commas, where `,,` is a comma inside a value. A first item
// without `=` has the key implied_key. Of several the last.
std::optional<std::string> qemu_list_value(std::string_view list, std::string_view implied_key,
                                           std::string_view key);

// The same of cloud-hypervisor's lists: commas inside brackets and double quotes separate nothing, and the
// quotes are dropped.
std::optional<std::string> bracketed_list_value(std::string_view list, std::string_view key);

// What a control socket says of a VM: its file name without `.sock` and the like, or where that is the same
// for all VMs (`api.sock`) the folder that it is in. Empty where neither tells.
std::string name_of_socket(std::string_view path);

}  // namespace isoscope::identity

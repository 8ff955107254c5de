// SPDX-License-Identifier: Apache-2.0
#include "agent/privileges.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "base/capabilities.h"
#include "base/log.h"
#include "config/values.h"

namespace isoscope::agent {

namespace {

const std::vector<unsigned>& needed_to_the_end() {
  static const std::vector<unsigned> needed = {
      CAP_BPF,              // the programs for kvm, whose modules may come at any time
      CAP_PERFMON,          // attaching them
      CAP_SYS_ADMIN,        // the BTF of these modules: bpf(2) opens it by its id, for this capability alone
      CAP_SYS_PTRACE,       // namespaces and executables of other users' processes
      CAP_DAC_READ_SEARCH,  // their descriptors (which are vCPUs?), and what runtimes wrote for root or a
                            // user
      CAP_KILL,             // a policy that is enforced, perhaps from the next SIGHUP on; the command's end
  };
  return needed;
}

// Outputs, which may be opened again, and their folders, in which files are renamed, made and removed during
// the run.
std::vector<std::string> paths_of(const config::Config& config) {
  std::vector<std::string> paths;
  for (const config::Output& output : config.outputs) {
    if (output.path != "-" && output.path != config::standard_error) {
      paths.push_back(output.path);
    }
  }
  if (const auto where = config::parse_listen(config.listen); where && !where->path.empty()) {
    paths.push_back(where->path);
  }
  std::vector<std::string> with_folders = paths;
  for (const std::string& path : paths) {
    std::error_code unknown;
    const std::filesystem::path target = std::filesystem::weakly_canonical(path, unknown);
    const std::filesystem::path folder = (unknown ? std::filesystem::path(path) : target).parent_path();
    with_folders.push_back(folder.empty() ? "." : folder.string());
  }
  return with_folders;
}

// A user's own, when root runs isoscope for him.
bool is_closed_to_us(const std::string& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0 && errno == EACCES;
}

}  // namespace

void drop_privileges(const config::Config& config, bool has_command) {
  const std::vector<std::string> paths = paths_of(config);
  auto done = base::keep_capabilities(needed_to_the_end(), {CAP_DAC_OVERRIDE});
  if (done) {
    // Not with it in use: everything would seem open.
    std::vector<unsigned> keep = needed_to_the_end();
    if (has_command || std::any_of(paths.begin(), paths.end(), is_closed_to_us)) {
      keep.push_back(CAP_DAC_OVERRIDE);
    }
    done = base::keep_capabilities(keep);
  }
  if (!done) {
    base::log::warning("isoscope runs on with more capabilities than it needs: {}", done.error().message);
  }
}

}  // namespace isoscope::agent

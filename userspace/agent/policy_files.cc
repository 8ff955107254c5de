// SPDX-License-Identifier: Apache-2.0
#include "agent/policy_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "config/file.h"
#include "policy/parse.h"

namespace isoscope::agent {

namespace {

namespace fs = std::filesystem;

using base::Error;
using base::ErrorKind;
using base::Result;

bool is_policy_file(const fs::path& path) {
  const std::string extension = path.extension().string();
  return (extension == ".yaml" || extension == ".yml") && !path.filename().string().starts_with('.');
}

Error cannot_read(const std::string& path, const std::error_code& why) {
  return {ErrorKind::config, fmt::format("cannot read {}: {}", base::printable(path), why.message())};
}

// The files that a path stands for.
Result<std::vector<std::string>> files_of(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return std::vector<std::string>{path};  // whatever is wrong with it, reading it will tell
  }
  std::vector<std::string> files;
  fs::directory_iterator entry(path, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (is_policy_file(entry->path())) {
      files.push_back(entry->path().string());
    }
  }
  if (error) {
    return cannot_read(path, error);
  }
  std::sort(files.begin(), files.end());
  return files;
}

// One message of all errors; each begins its own line.
Error joined(const std::vector<Error>& errors) {
  std::string text = fmt::format("{} {} in the policies; none of them is used", errors.size(),
                                 errors.size() == 1 ? "error" : "errors");
  for (const Error& error : errors) {
    text += "\n" + error.message;
  }
  return {ErrorKind::config, text};
}

std::string counted(std::size_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace

Result<PolicyFiles> read_policies(const std::vector<std::string>& paths) {
  PolicyFiles read;
  std::vector<Error> errors;
  std::error_code ignored;
  const std::vector<std::string> usual = fs::exists(usual_policy_folder, ignored)
                                             ? std::vector<std::string>{usual_policy_folder}
                                             : std::vector<std::string>{};
  for (const std::string& path : paths.empty() ? usual : paths) {
    Result<std::vector<std::string>> files = files_of(path);
    if (!files) {
      errors.push_back(files.error());
      continue;
    }
    std::move(files->begin(), files->end(), std::back_inserter(read.files));
  }
  for (const std::string& file : read.files) {
    Result<std::string> text = config::read_whole(file);
    if (!text) {
      errors.push_back(text.error());
      continue;
    }
    policy::Parsed parsed = policy::parse(file, *text);
    std::move(parsed.errors.begin(), parsed.errors.end(), std::back_inserter(errors));
    std::move(parsed.policies.begin(), parsed.policies.end(), std::back_inserter(read.policies));
  }
  if (errors.empty()) {
    errors = policy::check_names(read.policies);
  }
  return errors.empty() ? Result<PolicyFiles>(std::move(read)) : Result<PolicyFiles>(joined(errors));
}

std::string summary_of(const PolicyFiles& files) {
  std::size_t rules = 0;
  for (const policy::Policy& policy : files.policies) {
    rules += policy.rules.size();
  }
  return fmt::format("{} with {} from {}", counted(files.policies.size(), "policy", "policies"),
                     counted(rules, "rule", "rules"), counted(files.files.size(), "file", "files"));
}

}  // namespace isoscope::agent

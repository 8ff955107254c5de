// SPDX-License-Identifier: Apache-2.0
#include "identity/runtime_files.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "identity/cgroup_path.h"
#include "identity/process.h"

namespace isoscope::identity {

namespace {

using base::Result;

// docker's file has some KB, an OCI configuration with its seccomp rules 50; a list 1 KB for each container.
constexpr std::uint64_t largest_file = 4u << 20;

// A namespace is a tenant of containerd: `k8s.io`, `moby`, `default`.
constexpr std::size_t most_namespaces = 64;

// Where containerd keeps its bundles: state directory and shim.
constexpr auto containerd_roots = std::to_array<std::string_view>({
    "/run/containerd/io.containerd.runtime.v2.task",
    "/run/k3s/containerd/io.containerd.runtime.v2.task",  // also RKE2
    "/run/k0s/containerd/io.containerd.runtime.v2.task",
    "/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
});

constexpr auto storage_roots = std::to_array<std::string_view>({
    "/run/containers/storage/overlay-containers",
    "/var/lib/containers/storage/overlay-containers",
});

// Volatile ones are those of `podman run --rm`.
constexpr auto container_lists = std::to_array<std::string_view>({
    "/var/lib/containers/storage/overlay-containers/containers.json",
    "/var/lib/containers/storage/overlay-containers/volatile-containers.json",
    "/run/containers/storage/overlay-containers/volatile-containers.json",
});

// Empty: there is no such file, or it is none that is read. What cannot be understood is told to those who
// want to know: somebody else's file is no reason to warn.
template <typename Parse>
auto read(const std::string& path, Parse parse) -> decltype(std::optional(*parse(std::string_view()))) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  if (static_cast<std::uint64_t>(status.st_size) > largest_file) {
    base::log::verbose("{} is not read: it is larger than {} bytes", path, largest_file);
    return std::nullopt;
  }
  const auto text = read_small_file(path);
  if (!text) {
    base::log::verbose("{}", text.error().message);
    return std::nullopt;
  }
  auto parsed = parse(*text);
  if (!parsed) {
    base::log::verbose("{} is not understood: {}", path, parsed.error().message);
    return std::nullopt;
  }
  return *std::move(parsed);
}

std::vector<std::string> folders_in(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
    if (entry->d_name[0] != '.' && names.size() < most_namespaces) {
      names.emplace_back(entry->d_name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

// An id of 64 digits is nobody else's. Any other one is a name that a person chose, and a cgroup that happens
// to be called so need not be that container's.
bool is_meant(const MetadataQuery& query, std::string_view cgroup_of_record) {
  return is_full_id(query.id) || query.cgroup_path == cgroup_of_record;
}

bool says_something(const Metadata& metadata) {
  return metadata != Metadata{.runtime = metadata.runtime};
}

std::string_view last_component(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::optional<MetadataQuery> metadata_query(const Unit& unit) {
  if (unit.ref.kind != UnitKind::container || unit.cgroup_path.find("/user@") != std::string::npos) {
    return std::nullopt;
  }
  const std::string& runtime = unit.metadata.runtime;
  for (const std::string_view named : {"lxc", "libvirt-lxc", "systemd-nspawn", "systemd-machined"}) {
    if (runtime == named) {
      return std::nullopt;
    }
  }
  const std::string_view id = unit.ref.id.starts_with('/') ? last_component(unit.ref.id) : unit.ref.id;
  return MetadataQuery{.id = std::string(id), .runtime = runtime, .cgroup_path = unit.cgroup_path};
}

RuntimeFiles::RuntimeFiles(LabelKeys labels, std::string root)
    : labels_(std::move(labels)), root_(std::move(root)) {}

std::optional<Metadata> RuntimeFiles::look_up(const MetadataQuery& query) {
  if (query.id.empty() || query.id.front() == '.' || query.id.find('/') != std::string::npos) {
    return std::nullopt;
  }
  const bool any = query.runtime.empty() || query.runtime == "kata";
  std::optional<Metadata> found;
  const auto ask = [&](std::initializer_list<std::string_view> runtimes, auto source) {
    if (!found && (any || std::find(runtimes.begin(), runtimes.end(), query.runtime) != runtimes.end())) {
      found = source();
    }
  };
  ask({"docker"}, [&] { return docker(query); });
  ask({"containerd"}, [&] { return containerd(query); });
  ask({"crio", "podman"}, [&] { return storage(query); });
  ask({"runc"}, [&] { return runc(query); });
  ask({"crun"}, [&] { return crun(query); });
  return found;
}

void RuntimeFiles::begin_round() {
  for (auto& [path, list] : lists_) {
    list.checked = false;
  }
}

std::optional<Metadata> RuntimeFiles::docker(const MetadataQuery& query) const {
  if (!is_full_id(query.id)) {
    return std::nullopt;
  }
  const auto record = read(fmt::format("{}/var/lib/docker/containers/{}/config.v2.json", root_, query.id),
                           [this](std::string_view text) { return parse_docker_config(text, labels_); });
  return record ? std::optional(record->metadata) : std::nullopt;
}

std::optional<Metadata> RuntimeFiles::containerd(const MetadataQuery& query) const {
  for (const std::string_view root : containerd_roots) {
    const std::string folder = root_ + std::string(root);
    for (const std::string& name_space : folders_in(folder)) {
      auto record = read(fmt::format("{}/{}/{}/config.json", folder, name_space, query.id),
                         [this](std::string_view text) { return parse_oci_config(text, labels_); });
      if (!record || !is_meant(query, record->cgroup) || name_space == "moby") {
        continue;  // docker's own file says more
      }
      Metadata& metadata = record->metadata;
      metadata.runtime = "containerd";
      if (metadata.container.empty() && !is_full_id(query.id)) {
        metadata.container = query.id;  // `ctr run IMAGE NAME`
      }
      if (says_something(metadata)) {
        return metadata;
      }
    }
  }
  return std::nullopt;
}

// One storage, two runtimes: what the annotations do not say, the list does.
std::optional<Metadata> RuntimeFiles::storage(const MetadataQuery& query) {
  if (!is_full_id(query.id)) {
    return std::nullopt;
  }
  Metadata metadata;
  for (const std::string_view root : storage_roots) {
    const auto record = read(fmt::format("{}{}/{}/userdata/config.json", root_, root, query.id),
                             [this](std::string_view text) { return parse_oci_config(text, labels_); });
    if (record) {
      fill_in(metadata, record->metadata);
    }
  }
  for (const std::string_view path : container_lists) {
    const auto& containers = list(root_ + std::string(path));
    if (const auto found = containers.find(query.id); found != containers.end()) {
      fill_in(metadata, found->second);
    }
  }
  return says_something(metadata) ? std::optional(metadata) : std::nullopt;
}

std::optional<Metadata> RuntimeFiles::runc(const MetadataQuery& query) const {
  const auto record = read(fmt::format("{}/run/runc/{}/state.json", root_, query.id),
                           [this](std::string_view text) { return parse_runc_state(text, labels_); });
  return record && query.cgroup_path == record->cgroup ? std::optional(record->metadata) : std::nullopt;
}

// The status has the cgroup, and a copy of the bundle's configuration beside it the annotations.
std::optional<Metadata> RuntimeFiles::crun(const MetadataQuery& query) const {
  const std::string folder = fmt::format("{}/run/crun/{}", root_, query.id);
  auto record = read(folder + "/status", parse_crun_status);
  // With systemd the processes may be in a cgroup below that of the scope.
  if (!record ||
      (record->cgroup != query.cgroup_path && record->cgroup != query.cgroup_path + "/container")) {
    return std::nullopt;
  }
  const auto config = read(folder + "/config.json",
                           [this](std::string_view text) { return parse_oci_config(text, labels_); });
  if (config) {
    fill_in(record->metadata, config->metadata);
  }
  if (record->metadata.container.empty()) {
    record->metadata.container = query.id;
  }
  return record->metadata;
}

const std::map<std::string, Metadata>& RuntimeFiles::list(const std::string& path) {
  List& list = lists_[path];
  if (std::exchange(list.checked, true)) {
    return list.containers;
  }
  struct stat status {};
  Stamp stamp;
  if (::stat(path.c_str(), &status) == 0) {
    stamp = {.mtime_s = status.st_mtim.tv_sec,
             .mtime_ns = status.st_mtim.tv_nsec,
             .bytes = static_cast<std::uint64_t>(status.st_size),
             .inode = status.st_ino};
  }
  if (list.stamp != stamp) {
    list.stamp = stamp;
    list.containers = read(path, parse_container_list).value_or(std::map<std::string, Metadata>());
  }
  return list.containers;
}

}  // namespace isoscope::identity

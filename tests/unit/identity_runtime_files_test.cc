// SPDX-License-Identifier: Apache-2.0
#include "identity/runtime_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

#include "identity/cgroup_path.h"

namespace isoscope::identity {
namespace {

const std::string id(64, 'a');
const std::string other(64, 'b');

// A host made of files; gone with the object.
class Root {
 public:
  Root() {
    if (::mkdtemp(path_.data()) == nullptr) {
      throw std::runtime_error("no temporary folder");
    }
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  ~Root() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path_ + file).parent_path());
    std::ofstream(path_ + file) << text;
  }

 private:
  std::string path_ = "/tmp/isoscope_runtime_XXXXXX";
};

class RuntimeFilesTest : public ::testing::Test {
 protected:
  std::optional<Metadata> look(const std::string& runtime, const std::string& wanted = id,
                               const std::string& cgroup = "/x") {
    files_.begin_round();
    return files_.look_up({.id = wanted, .runtime = runtime, .cgroup_path = cgroup});
  }

  Root root_;
  RuntimeFiles files_{{"app"}, root_.path()};
};

const std::string cri = R"({"annotations":{"io.kubernetes.cri.container-name":"nginx",
    "io.kubernetes.cri.sandbox-name":"web-0","app":"shop"}})";

TEST_F(RuntimeFilesTest, NothingIsThere) {
  for (const char* runtime : {"", "docker", "containerd", "crio", "podman", "runc", "crun", "kata"}) {
    EXPECT_FALSE(look(runtime)) << runtime;
  }
}

TEST_F(RuntimeFilesTest, Docker) {
  root_.write("/var/lib/docker/containers/" + id + "/config.v2.json",
              R"({"Name":"/web","Config":{"Image":"nginx","Labels":{"app":"shop"}}})");
  const Metadata expected{
      .runtime = "docker", .container = "web", .image = "nginx", .labels = {{"app", "shop"}}};
  EXPECT_EQ(look("docker"), expected);
  EXPECT_EQ(look(""), expected) << "where the path does not say whose it is";
  EXPECT_FALSE(look("containerd"));
  EXPECT_FALSE(look("docker", other));
}

TEST_F(RuntimeFilesTest, ContainerdWhereverItKeepsItsState) {
  for (const std::string state : {"/run/containerd", "/run/k3s/containerd", "/run/k0s/containerd",
                                  "/var/snap/microk8s/common/run/containerd"}) {
    SCOPED_TRACE(state);
    const std::string tasks = state + "/io.containerd.runtime.v2.task";
    root_.write(tasks + "/k8s.io/" + id + "/config.json", cri);
    EXPECT_EQ(look("containerd"), (Metadata{.runtime = "containerd",
                                            .container = "nginx",
                                            .pod_name = "web-0",
                                            .labels = {{"app", "shop"}}}));
    EXPECT_TRUE(look("kata")) << "its sandbox is a container of containerd";
    std::filesystem::remove_all(root_.path() + state);
  }
}

TEST_F(RuntimeFilesTest, ContainerdsNamespaceOfDockerSaysNothing) {
  root_.write("/run/containerd/io.containerd.runtime.v2.task/moby/" + id + "/config.json", cri);
  EXPECT_FALSE(look(""));
}

TEST_F(RuntimeFilesTest, AChosenNameMustBeInItsCgroup) {
  root_.write("/run/containerd/io.containerd.runtime.v2.task/default/web/config.json",
              R"({"linux":{"cgroupsPath":"/default/web"}})");
  EXPECT_EQ(look("", "web", "/default/web"), (Metadata{.runtime = "containerd", .container = "web"}));
  EXPECT_FALSE(look("", "web", "/elsewhere/web"));
}

TEST_F(RuntimeFilesTest, PodmanByConfigurationAndList) {
  const std::string storage = "/var/lib/containers/storage/overlay-containers/";
  root_.write(storage + id + "/userdata/config.json",
              R"({"annotations":{"io.container.manager":"libpod","app":"shop"}})");
  EXPECT_EQ(look("podman"), (Metadata{.runtime = "podman", .labels = {{"app", "shop"}}})) << "no name yet";
  root_.write(storage + "containers.json",
              R"([{"id":")" + id + R"(","names":["web"],"metadata":"{\"image-name\":\"nginx\"}"}])");
  EXPECT_EQ(
      look("podman"),
      (Metadata{.runtime = "podman", .container = "web", .image = "nginx", .labels = {{"app", "shop"}}}));
  root_.write(storage + "volatile-containers.json", R"([{"id":")" + other + R"(","names":["once"]}])");
  EXPECT_EQ(look("podman", other), (Metadata{.container = "once"})) << "podman run --rm";
}

TEST_F(RuntimeFilesTest, AListIsReadOnceInARound) {
  const std::string list = "/run/containers/storage/overlay-containers/volatile-containers.json";
  const MetadataQuery query{.id = id, .runtime = "podman", .cgroup_path = "/x"};
  EXPECT_FALSE(files_.look_up(query));
  root_.write(list, R"([{"id":")" + id + R"(","names":["web"]}])");
  EXPECT_FALSE(files_.look_up(query));
  files_.begin_round();
  EXPECT_TRUE(files_.look_up(query));
  std::filesystem::remove(root_.path() + list);
  files_.begin_round();
  EXPECT_FALSE(files_.look_up(query));
}

TEST_F(RuntimeFilesTest, Crio) {
  root_.write("/run/containers/storage/overlay-containers/" + id + "/userdata/config.json",
              R"({"annotations":{"io.container.manager":"cri-o","io.kubernetes.container.name":"nginx",
                  "io.kubernetes.pod.name":"web-0"}})");
  root_.write("/var/lib/containers/storage/overlay-containers/containers.json",
              R"([{"id":")" + id + R"(","names":["k8s_nginx_web-0"],"metadata":"{\"image-name\":\"i\"}"}])");
  EXPECT_EQ(look("crio"),
            (Metadata{.runtime = "crio", .container = "nginx", .image = "i", .pod_name = "web-0"}));
}

TEST_F(RuntimeFilesTest, RuncAndCrunByNameAndCgroup) {
  root_.write("/run/runc/web/state.json", R"({"id":"web","cgroup_paths":{"":"/sys/fs/cgroup/web"}})");
  root_.write("/run/crun/db/status", R"({"cgroup-path":"/system.slice/crun-db.scope/container"})");
  root_.write("/run/crun/db/config.json", R"({"annotations":{"app":"shop"}})");
  EXPECT_EQ(look("", "web", "/web"), (Metadata{.runtime = "runc", .container = "web"}));
  EXPECT_FALSE(look("", "web", "/elsewhere/web"));
  EXPECT_EQ(look("crun", "db", "/system.slice/crun-db.scope"),
            (Metadata{.runtime = "crun", .container = "db", .labels = {{"app", "shop"}}}));
  EXPECT_FALSE(look("crun", "db", "/db"));
}

TEST_F(RuntimeFilesTest, NoFileIsReadThatIsNoneOrTooLarge) {
  const std::string file = "/var/lib/docker/containers/" + id + "/config.v2.json";
  std::filesystem::create_directories(root_.path() + file);
  EXPECT_FALSE(look("docker")) << "a folder";
  std::filesystem::remove_all(root_.path() + file);
  root_.write(file, R"({"Name":"/web")");
  EXPECT_FALSE(look("docker")) << "half a file";
  root_.write(file, R"({"Name":"/web"})" + std::string(4U << 20, ' '));
  EXPECT_FALSE(look("docker")) << "more than 4 MiB";
  root_.write(file, R"({"Name":"/web"})");
  EXPECT_TRUE(look("docker"));
}

TEST_F(RuntimeFilesTest, AnIdIsNoPath) {
  root_.write("/run/runc/state.json", R"({"id":"web","cgroup_paths":{"":"/sys/fs/cgroup/x"}})");
  root_.write("/run/runc/a/b/state.json", R"({"id":"web","cgroup_paths":{"":"/sys/fs/cgroup/x"}})");
  for (const char* wanted : {"", ".", "..", "a/b", ".hidden"}) {
    EXPECT_FALSE(look("runc", wanted)) << wanted;
  }
}

// --- whom to ask ---

std::optional<MetadataQuery> query_of(const std::string& path) {
  const auto identity = parse_cgroup_path(path);
  Unit unit;
  unit.ref = {identity->kind, identity->id, identity->name};
  unit.cgroup_path = path;
  unit.metadata.runtime = identity->runtime;
  return metadata_query(unit);
}

TEST(MetadataQueryOf, Containers) {
  const auto docker = query_of("/system.slice/docker-" + id + ".scope");
  ASSERT_TRUE(docker);
  EXPECT_EQ(docker->id, id);
  EXPECT_EQ(docker->runtime, "docker");
  const auto runc = query_of("/system.slice/runc-web.scope");
  ASSERT_TRUE(runc);
  EXPECT_EQ(runc->id, "web");
  Unit plain;
  plain.ref = {UnitKind::container, "/isolab/web", "web"};  // by its namespaces
  plain.cgroup_path = "/isolab/web";
  ASSERT_TRUE(metadata_query(plain));
  EXPECT_EQ(metadata_query(plain)->id, "web");
}

TEST(MetadataQueryOf, NobodyForTheOthers) {
  for (const std::string& path :
       {std::string("/lxc.payload.web"), std::string("/machine.slice/systemd-nspawn@web.service"),
        std::string("/machine.slice/machine-web.scope"), std::string("/machine/web.libvirt-lxc"),
        std::string("/kubepods/pod0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55"),
        std::string("/system.slice/ssh.service"), std::string("/web")}) {
    EXPECT_FALSE(query_of(path)) << path;
  }
}

TEST(MetadataQueryOf, NobodyForWhatAUserStarted) {
  EXPECT_FALSE(query_of("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope"));
}

}  // namespace
}  // namespace isoscope::identity

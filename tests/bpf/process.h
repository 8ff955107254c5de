// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <type_traits>

#include "base/unique_fd.h"
#include "event/record.h"

namespace isoscope::live {

// How long to wait for what is sure to come; far more than an emulated processor needs.
inline constexpr std::chrono::seconds patience{60};

// Whether it became true; asked again and again.
bool eventually(const std::function<bool()>& holds);

// Lets processes wait for one another: every open() lets one wait() go on.
class Gate {
 public:
  Gate();
  void open() const;
  // For children: for ever, as the test ends them when it gives up.
  void wait() const;
  // For the test.
  [[nodiscard]] bool await() const;
  int reading_end() const { return read_.get(); }
  // In a child: whoever reads finds the end once the test has closed its own.
  void close_writing_end() { write_.reset(); }

 private:
  base::UniqueFd read_;
  base::UniqueFd write_;
};

// A value that children see and write too.
template <typename T>
class Shared {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Shared() : memory_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(memory_, sizeof(T)); }
  T& operator*() const { return *static_cast<T*>(memory_); }

 private:
  void* memory_;
};

// A process that runs `body` and exits with what it returns. Killed and reaped with the object.
class Child {
 public:
  struct How {
    std::uint64_t flags = 0;  // CLONE_NEW*
    int cgroup = -1;          // an open folder: born there, so that its whole life counts there
    pid_t pid = 0;            // 0: the kernel's choice
  };
  explicit Child(const std::function<int()>& body) : Child(How{}, body) {}
  Child(const How& how, const std::function<int()>& body);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
  void kill() const;
  // Its exit status, 128 + N for signal N, -1 if it does not end. It stays a zombie, which /proc still tells
  // of.
  [[nodiscard]] int await_end() const;

 private:
  pid_t pid_ = -1;
};

struct SwitchCounts {
  std::uint64_t voluntary = 0;
  std::uint64_t involuntary = 0;
  SwitchCounts& operator+=(const SwitchCounts& other) {
    voluntary += other.voluntary;
    involuntary += other.involuntary;
    return *this;
  }
  friend bool operator==(const SwitchCounts&, const SwitchCounts&) = default;
};
std::ostream& operator<<(std::ostream& out, const SwitchCounts& counts);

// What /proc says; works for zombies, whose counts include their last switch.
SwitchCounts switches_of(std::uint32_t pid);
std::uint64_t effective_capabilities_of(std::uint32_t pid);
std::uint64_t start_ticks_of(std::uint32_t pid);  // in USER_HZ since boot
event::NamespaceSet namespaces_of(std::uint32_t pid);

// The lowest processor this process may use.
std::size_t first_cpu();
void run_on(std::size_t cpu);

}  // namespace isoscope::live

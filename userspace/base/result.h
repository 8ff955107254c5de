// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

namespace isoscope::base {

// What went wrong, by what the user can do about it. The value is the process's exit code when the error
// ends the program.
enum class ErrorKind {
  failure = 1,      // something at run time: a write, a system call
  usage = 2,        // the command line
  violated = 3,     // all went well, and what --fail-on asks for was found
  permission = 4,   // a capability is missing
  unsupported = 5,  // this kernel cannot do it
  config = 6,       // a configuration or policy file
};

// A recoverable error. The message is for people: what failed, on what, why, what to do next; no trailing
// newline or full stop needed.
struct Error {
  ErrorKind kind = ErrorKind::failure;
  std::string message;
};

// Either a value or an Error. Accessing the wrong one is a bug and aborts (std::get throws in a noexcept
// function); callers test first.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const noexcept { return state_.index() == 0; }

  T& operator*() noexcept { return std::get<0>(state_); }
  const T& operator*() const noexcept { return std::get<0>(state_); }
  T* operator->() noexcept { return &std::get<0>(state_); }
  const T* operator->() const noexcept { return &std::get<0>(state_); }

  Error& error() noexcept { return std::get<1>(state_); }
  const Error& error() const noexcept { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

// Success without a value.
struct Ok {};

// errno as words ("No such file or directory"); thread-safe.
std::string errno_text(int error_number);

}  // namespace isoscope::base

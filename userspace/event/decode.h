// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "event/record.h"

namespace isoscope::event {

// One record as the BPF programs wrote it (abi/event.h), at any alignment. The bytes must be exactly the
// record: its size field, its kind and its class have to agree, and numbers that name something must be known
// ones. An ISA that is neither VMX nor SVM is Isa::unknown: such KVM flavours exist.
base::Result<Record> decode(std::span<const std::byte> bytes);

}  // namespace isoscope::event

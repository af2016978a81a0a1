#pragma once

#include <ima/error.hpp>

#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace ima {

/// Starts a thread. Error: fault::temporary, rule `threads`, where the system starts no more.
template <class Work>
result<std::thread> start_thread(Work&& work) {
  try {
    return std::thread(std::forward<Work>(work));
  } catch (const std::system_error& none) {
    return error{fault::temporary, "threads", "",
                 std::string("no thread can be started: ") + none.code().message()};
  }
}

}  // namespace ima

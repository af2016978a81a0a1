#include "mailbox/layout.hpp"
#include "support/try.hpp"

#include <ima/mailbox/watch.hpp>

#include <utility>

namespace ima::mailbox {

namespace {

constexpr std::chrono::milliseconds fine_tick{100};
constexpr std::chrono::milliseconds coarse_tick{2500};

}  // namespace

watch::watch(file_system& files, std::string path) : files_(&files) {
  const layout::tree tree{std::move(path)};
  incoming_ = tree.incoming();
  journal_ = tree.journal();
}

// The journal grows with every change, or is another; new/ gets another time with every delivery.
result<watch::sight> watch::look() {
  IMA_TRY(incoming, files_->status(incoming_));
  IMA_TRY(journal, files_->status(journal_));
  if (!incoming || !journal)
    return error{fault::temporary, "mailbox-format", incoming ? journal_ : incoming_,
                 "there is no mailbox"};
  return sight{journal->identity, journal->size, incoming->changed};
}

result<bool> watch::changed() {
  IMA_TRY(now, look());
  const auto time = clock::now();
  if (std::exchange(first_, false) || now != last_) {
    const bool whole_seconds =
        now.incoming == std::chrono::floor<std::chrono::seconds>(now.incoming);
    settled_ = time + (whole_seconds ? coarse_tick : fine_tick);
    last_ = now;
    return true;
  }
  if (time < settled_) return false;
  return std::exchange(settled_, clock::time_point::max()) != clock::time_point::max();
}

}  // namespace ima::mailbox

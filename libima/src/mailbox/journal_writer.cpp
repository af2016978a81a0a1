#include "mailbox/journal_writer.hpp"

#include "support/try.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

namespace ima::mailbox {

namespace {

// Writes a journal append by append.
class journal_writer {
 public:
  explicit journal_writer(std::unique_ptr<file> out) : out_(std::move(out)) {}

  result<void> begin(std::uint64_t generation) { return out_->append(journal_front(generation)); }
  result<void> add(const journal_record& what) {
    lines_ += journal_line(++seq_, what);
    ++holds_.lines;
    if (const auto* m = std::get_if<message_record>(&what)) {
      ++holds_.messages;
      holds_.octets += m->size;
    }
    return holds_.lines < batch ? result<void>() : flush();
  }
  result<void> finish() {
    IMA_CHECK(flush());
    return out_->sync();
  }

 private:
  result<void> flush() {
    if (holds_.lines == 0) return {};
    lines_ += journal_line(++seq_, holds_);
    holds_.lines = 0;
    return out_->append(std::exchange(lines_, {}));
  }

  std::unique_ptr<file> out_;
  std::string lines_;
  std::uint64_t seq_ = 0;
  commit_record holds_;
};

// Greater than the old one, should the clock have gone back.
result<std::uint64_t> next_generation(file_system& files, const layout::tree& tree) {
  const auto now = static_cast<std::uint64_t>(files.now().time_since_epoch().count());
  auto old = journal::open(files, tree.journal());
  return old ? std::max(now, old->generation() + 1) : now;
}

result<void> write_folders(journal_writer& out, index& known) {
  IMA_TRY(folders, known.folders());
  std::ranges::sort(folders, {}, &index::folder_row::number);
  for (const auto& f : folders) IMA_CHECK(out.add(static_cast<const folder_record&>(f)));
  return {};
}

result<void> write_messages(journal_writer& out, index& known,
                            const std::function<result<bool>(const std::string& id)>& keep) {
  for (std::uint64_t born = 0;;) {
    IMA_TRY(some, known.messages(born, batch));
    if (some.empty()) return {};
    born = some.back().born;
    for (auto& m : some) {
      IMA_TRY(kept, keep(m.what.id));
      if (kept) IMA_CHECK(out.add(std::move(m.what)));
    }
  }
}

}  // namespace

result<void> replace_journal(file_system& files, const layout::tree& tree, index& known,
                             const std::function<result<bool>(const std::string& id)>& keep) {
  const std::string fresh = tree.unfinished();
  IMA_TRY(generation, next_generation(files, tree));
  IMA_TRY(made, files.create(fresh));
  journal_writer out(std::move(made));
  IMA_CHECK(out.begin(generation));
  IMA_CHECK(write_folders(out, known));
  IMA_CHECK(write_messages(out, known, keep));
  IMA_CHECK(out.finish());
  IMA_CHECK(files.rename(fresh, tree.journal()));
  return files.sync_directory(tree.root);
}

}  // namespace ima::mailbox

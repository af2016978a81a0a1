#include "mirror/state.hpp"
#include "support/try.hpp"

#include <algorithm>
#include <utility>

namespace ima::mirror {

mirror::mirror(net::retrieval_client& remote, mailbox::mailbox& local, download_folder& downloads,
               mirror_options options)
    : state_(std::make_unique<state>(remote, local, *downloads.state_, std::move(options))) {}
mirror::mirror(mirror&&) noexcept = default;
mirror& mirror::operator=(mirror&&) noexcept = default;
mirror::~mirror() = default;

// Of a folder that nobody asked for by name, and that was there a moment ago, the next run sees
// what became of it.
result<void> mirror::update(const on_message& report, const on_progress& progress) {
  auto done = state_->update(report, progress);
  if (done || done.error().kind != fault::refused || done.error().rule != "no-folder" ||
      !state_->brings_all())
    return done;
  return error{fault::temporary, "no-folder", done.error().place,
               "a folder was renamed or deleted while it was brought"};
}

result<void> mirror::list(const on_message& report) { return state_->list(report); }

const std::vector<error>& mirror::failures() const noexcept { return state_->failures(); }

const std::vector<retrieval::watched_folder>& mirror::states() const noexcept {
  return state_->states();
}

result<void> mirror::state::update(const on_message& report, const on_progress& progress) {
  progress_ = &progress;
  so_far_ = {};
  states_.clear();
  failures_.clear();
  made_.clear();
  begun_.clear();
  listed_afresh_ = false;
  // A run that was killed may have left messages that are not taken in, and cannot be removed so.
  IMA_CHECK(local_.take_in());
  IMA_TRY(emptied, notes_.get(subject::emptied, ""));
  keeps_ = options_.delete_after || !emptied.empty();
  IMA_CHECK(open_own());
  IMA_TRY(folders, choose_folders());
  IMA_CHECK(make_folders(folders));
  IMA_TRY(ends, bring_all(folders, report));
  if (!keeps_) IMA_CHECK(ask_for_gone(ends));
  for (folder_end& end : ends) IMA_CHECK(settle(end));
  for (folder_end& end : ends) IMA_CHECK(note(end));
  IMA_CHECK(drop_folders());
  downloads_.remove_all();
  return end_own();
}

// Only where people's work goes back now and then it need be told from that of runs.
result<void> mirror::state::open_own() {
  own_.reset();
  IMA_TRY(here, local_.folders());
  bool goes_back = options_.two_way;
  for (const auto& folder : here) {
    IMA_TRY(looked, notes_.get(subject::here, folder.name));
    goes_back = goes_back || !looked.empty();
  }
  if (!goes_back) return {};
  IMA_TRY(own, downloads_.changes(options_.source));
  own_ = std::move(own);
  return {};
}

result<void> mirror::state::end_own() {
  if (!own_) return {};
  if (!options_.two_way) return own_->shorten();
  if (brings_all()) IMA_CHECK(forget_departed());
  return own_->forget([&](auto folder) { return is_brought(folder); });
}

bool mirror::state::is_brought(std::string_view folder) const {
  return brings_all() || std::ranges::find(options_.folders, folder) != options_.folders.end();
}

// What is moved here may make folders there, which are brought as well.
result<std::vector<mirror::state::folder_end>> mirror::state::bring_all(
    const std::vector<retrieval::folder_info>& folders, const on_message& report) {
  if (options_.two_way) IMA_CHECK(look_at_departed());
  std::vector<std::string> names;
  for (const auto& folder : folders) names.push_back(folder.name);
  std::vector<folder_end> ends;
  for (std::size_t i = 0; i < names.size(); ++i) {
    IMA_TRY(end, bring(names[i], report));
    ends.push_back(std::move(end));
    if (options_.folders.empty()) names.insert(names.end(), made_.begin(), made_.end());
    made_.clear();
  }
  return ends;
}

}  // namespace ima::mirror

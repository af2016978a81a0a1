#include "mirror/state.hpp"
#include "support/try.hpp"

#include <utility>

namespace ima::mirror {

mirror::mirror(net::retrieval_client& remote, mailbox::mailbox& local, download_folder& downloads,
               mirror_options options)
    : state_(std::make_unique<state>(remote, local, *downloads.state_, std::move(options))) {}
mirror::mirror(mirror&&) noexcept = default;
mirror& mirror::operator=(mirror&&) noexcept = default;
mirror::~mirror() = default;

result<void> mirror::update(const on_message& report, const on_progress& progress) {
  return state_->update(report, progress);
}

result<void> mirror::list(const on_message& report) { return state_->list(report); }

const std::vector<error>& mirror::failures() const noexcept { return state_->failures(); }

const std::vector<retrieval::watched_folder>& mirror::states() const noexcept {
  return state_->states();
}

result<void> mirror::state::update(const on_message& report, const on_progress& progress) {
  progress_ = &progress;
  so_far_ = {};
  touched_.clear();
  states_.clear();
  failures_.clear();
  made_.clear();
  // A run that was killed may have left messages that are not taken in, and cannot be removed so.
  IMA_CHECK(local_.take_in());
  IMA_TRY(emptied, notes_.get(subject::emptied, ""));
  keeps_ = options_.delete_after || !emptied.empty();
  IMA_TRY(folders, choose_folders());
  IMA_CHECK(make_folders(folders));
  IMA_TRY(ends, bring_all(folders, report));
  for (folder_end& end : ends) IMA_CHECK(finish(end));
  IMA_CHECK(drop_folders());
  downloads_.remove_all();
  return {};
}

// What is moved here may make folders there, which are brought as well.
result<std::vector<mirror::state::folder_end>> mirror::state::bring_all(
    const std::vector<retrieval::folder_info>& folders, const on_message& report) {
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

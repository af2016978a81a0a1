#pragma once

#include <ima/digest.hpp>
#include <ima/mailbox/mailbox.hpp>
#include <ima/retrieval/backend.hpp>
#include <ima/service/submission.hpp>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

namespace ima::service {

/// The messages that are being sent, and what became of the latest: a second SEND of the same
/// message to the same people by the same user is told so (docs/retrieval.md section 5.16).
/// Thread-safe. Kept in memory: after a restart a repeated message is sent again to those who do
/// not have it yet.
class submissions {
 public:
  using key = std::pair<std::string, digest>;  // the user's mailbox and the message

  /// False where the message is being sent.
  bool begin(const key& what);
  void end(const key& what);
  /// Adds to what is known of other recipients of the message.
  void remember(const key& what, const retrieval::submission::report& report);
  /// What became of the message for these recipients, who are outside its digest. Nothing where one
  /// of them is not known, or where all of them failed and another attempt is worth it.
  std::optional<retrieval::submission::report> find(const key& what,
                                                    std::span<const address> recipients) const;

 private:
  static constexpr std::size_t most_remembered = 100'000;  // outcomes, of all messages
  struct known_message {
    std::map<std::string, retrieval::recipient_outcome> outcomes;  // by the recipient's key
    std::string saved;
    std::size_t weight() const noexcept { return outcomes.size() + 1; }
  };
  void forget_oldest();

  mutable std::mutex mutex_;  // guards what follows
  std::set<key> running_;
  std::map<key, known_message> known_;
  std::deque<key> order_;  // of known_, oldest first
  std::size_t remembered_ = 0;
};

/// One message of one user that is being sent, saved, and marked. `header` has passed every check
/// of the header stage. Refusals: in_progress, no_folder, no_message, quota.
result<std::unique_ptr<retrieval::submission>> begin_submission(
    submissions& all, mail_submitter& sender, std::shared_ptr<mailbox::mailbox> mail,
    const submissions::key& what, const retrieval::send_options& options,
    const header_block& header);

}  // namespace ima::service

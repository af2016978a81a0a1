#include "mailbox/store.hpp"

#include <ima/mailbox/mailbox.hpp>

// Storing a message of the user's own (docs/mailbox.md section 7).

namespace ima::mailbox {

struct appending::state {
  mailbox::state& box;
  delivery incoming;

  state(mailbox::state& b, delivery d) : box(b), incoming(std::move(d)) {}
};

appending::appending(std::unique_ptr<state> s) : state_(std::move(s)) {}
appending::appending(appending&&) noexcept = default;
appending& appending::operator=(appending&&) noexcept = default;
appending::~appending() = default;

result<appending> mailbox::append(const header_block& header, const record& note) {
  state& s = *state_;
  const auto fits = s.reading([&]() -> result<void> {
    IMA_CHECK(s.folder(note.folder));
    return s.check_room(1, header.size() + header.body_size());
  });
  if (!fits) return fits.error();
  target into;
  into.path = s.tree.root;
  into.note = note;
  into.apart = true;
  IMA_TRY(begun, delivery::begin(s.files, header, {std::move(into)}));
  return appending(std::make_unique<appending::state>(s, std::move(begun)));
}

result<void> appending::write(const part_slice& slice) { return state_->incoming.write(slice); }

// It is delivered like any other message, and so safe, before it is taken in; whoever else takes in
// meanwhile may have been faster.
result<entry> appending::commit() {
  mailbox::state& box = state_->box;
  auto stored = state_->incoming.commit().front();
  if (!stored) return stored.error();
  const std::lock_guard guard(box.mutex);
  IMA_CHECK(box.take_in({stored->id}));
  IMA_TRY(now, box.cache->message(stored->id));
  IMA_TRY(taken, box.cache->find(now ? now->folder : 0, stored->id));
  if (taken) return std::move(*taken);
  return error{fault::temporary, "message-damaged", stored->id, "it was removed at once"};
}

}  // namespace ima::mailbox

#include "service/local_recipients.hpp"

#include "service/sent_on.hpp"
#include "support/try.hpp"

#include <ima/mailbox/delivery.hpp>
#include <ima/mailbox/quota.hpp>

#include <algorithm>
#include <utility>

namespace ima::service {

using delivery::header_answer;
using kind = header_answer::kind;

namespace {

// Over a connection only the hostpart it was opened for; otherwise every hostpart of ours.
result<bool> concerns_us(const address& a, const delivery::peer_info& peer,
                         const routing_table& routes) {
  if (!peer.host.empty()) return a.host() == peer.host;
  if (routes.is_ours(a.host())) return true;
  IMA_TRY(found, routes.find(a));
  return found.has_value();
}

header_answer rejected(delivery::reason why, std::string text) {
  header_answer answer;
  answer.what = kind::reject;
  answer.why = why;
  answer.text = std::move(text);
  return answer;
}

// The reasons of a full or failing disk are the operator's, not the sender's, to read.
header_answer store_fails() {
  header_answer answer;
  answer.what = kind::defer;
  answer.why = delivery::reason::storage;
  answer.text = std::string(store_failure);
  return answer;
}

std::size_t places(const resolution& ends) {
  return ends.here.size() + ends.elsewhere.size() + ends.nonexistent.size();
}

// Where mail for him goes. A report to an alias for several is for its owner: it tells of a member
// who did not get the list's mail, which is nothing to the others, and he would fail again.
result<resolution> ends_of(const address& who, const header_block& header,
                           const routing_table& routes) {
  IMA_TRY(ends, resolve(routes, who));
  if (!ends.alias || header.first("auto") != "report" || places(ends) <= 1) return std::move(ends);
  resolution owners;
  if (const auto owner = address::parse("owner-" + std::string(who.text()))) {
    IMA_TRY(found, resolve(routes, *owner));
    if (places(found) <= 1) owners = std::move(found);
  }
  owners.known = owners.alias = true;
  return owners;
}

}  // namespace

result<std::size_t> local_recipients::box_at(const std::string& path, const address& whose,
                                             const header_block& header,
                                             mailbox::file_system& disk) {
  for (std::size_t i = 0; i < boxes.size(); ++i)
    if (boxes[i].path == path) return i;
  local_box made{path, whose};
  IMA_TRY(there, mailbox::contains(disk, path, header.id_digest()));
  made.already = there;
  if (!there) {
    IMA_TRY(room, mailbox::room_for(disk, path, header.size() + header.body_size()));
    made.full = !room;
  }
  boxes.push_back(std::move(made));
  return boxes.size() - 1;
}

result<void> local_recipients::add(const address& who, const header_block& header,
                                   const routing_table& routes, mailbox::file_system& disk) {
  IMA_TRY(ends, ends_of(who, header, routes));
  if (!ends.known) {
    unknown.push_back(who);
    return {};
  }
  // A member that the message went through before has passed it on to its own.
  const std::size_t before = ends.elsewhere.size();
  std::erase_if(ends.elsewhere, [&](const address& a) { return went_through(header, a); });
  const bool only_back =
      ends.elsewhere.size() < before && ends.elsewhere.empty() && ends.here.empty();
  local_recipient made{who};
  if (ends.alias && (only_back || went_through(header, who)))
    made.refused = "the message has been here before";
  else if (places(ends) == 0)
    made.refused = "a report is not for the members of a list, and this one has no owner";
  bool new_to_him = !made.refused.empty();
  for (destination& each : ends.here) {
    if (!made.refused.empty()) break;
    if (each.what.mailbox.empty()) {
      made.commands.push_back(std::move(each));
      continue;
    }
    IMA_TRY(box, box_at(each.what.mailbox, who, header, disk));
    made.boxes.push_back(box);
    new_to_him = new_to_him || !boxes[box].already;
  }
  made.elsewhere = std::move(ends.elsewhere);
  made.nonexistent = std::move(ends.nonexistent);
  if (new_to_him || !made.commands.empty() || !made.elsewhere.empty())
    waiting.push_back(std::move(made));
  else
    already.push_back(who);
  return {};
}

result<local_recipients> local_recipients::of(const header_block& header,
                                              const delivery::peer_info& peer,
                                              const routing_table& routes,
                                              mailbox::file_system& disk) {
  local_recipients made;
  for (const address& a : header.recipients()) {
    IMA_TRY(ours, concerns_us(a, peer, routes));
    // What is wrong with one recipient's entry or mailbox is his alone.
    if (ours && !made.add(a, header, routes, disk))
      made.waiting.push_back({.who = a, .deferred = true});
  }
  return made;
}

bool local_recipients::is_full_for(const local_recipient& r) const {
  return !r.deferred && r.commands.empty() && r.elsewhere.empty() &&
         std::all_of(r.boxes.begin(), r.boxes.end(),
                     [&](std::size_t i) { return boxes[i].full || boxes[i].already; });
}

header_answer local_recipients::answer() const {
  header_answer answer;
  if (!unknown.empty()) {
    answer = rejected(delivery::reason::recipients, "unknown recipients");
  } else if (waiting.empty() && already.empty()) {
    answer = rejected(delivery::reason::recipients, "no recipient is ours");
  } else if (waiting.empty()) {
    answer.what = kind::verdict;
    answer.final_verdict = delivery::verdict::ok;
  } else if (all_waiting([](const local_recipient& r) { return r.deferred; })) {
    answer = store_fails();
  } else if (all_waiting([](const local_recipient& r) { return !r.refused.empty(); })) {
    answer = rejected(delivery::reason::loop, waiting.front().refused);
  } else if (all_waiting([&](const local_recipient& r) { return is_full_for(r); })) {
    answer = rejected(delivery::reason::quota, "the mailbox is full");
  } else {
    answer.what = kind::accept;
  }
  answer.already = already;
  answer.unknown = unknown;
  return answer;
}

}  // namespace ima::service

#include "addresses.hpp"
#include "events.hpp"
#include "retrieval_arguments.hpp"
#include "times.hpp"
#include "words.hpp"

#include <ima/retrieval/client.hpp>

namespace ima::python {
namespace {

using namespace py::literals;
using namespace retrieval;

void add_folders(py::module_& m) {
  record<folder_info> info(m, "FolderInfo", "A folder, as a list shows it.");
  info.made(py::init([](std::string name, std::string role) {
              return folder_info{std::move(name), std::move(role)};
            }),
            "name"_a, "role"_a = "");
  info.field("name", &folder_info::name, "Hierarchical with ``/``.")
      .field("role", &folder_info::role, "inbox, sent, drafts, archive, junk, trash, or empty.");
  record<folder_status> status(m, "FolderStatus", "How much is in a folder.");
  status.made(py::init([](std::uint64_t messages, std::uint64_t unseen, std::uint64_t size,
                          std::string token) {
                return folder_status{messages, unseen, size, std::move(token)};
              }),
              "messages"_a, "unseen"_a, "size"_a, "token"_a);
  status.field("messages", &folder_status::messages, "How many.")
      .field("unseen", &folder_status::unseen, "How many without the flag seen.")
      .field("size", &folder_status::size, "Octets of all messages.")
      .field("token", &folder_status::token, "The state now.");
  record<watched_folder> watched(m, "WatchedFolder", "A folder and a state of it.");
  watched.made(py::init([](std::string folder, std::string token) {
                 return watched_folder{std::move(folder), std::move(token)};
               }),
               "folder"_a, "token"_a);
  watched.field("folder", &watched_folder::folder, "Its name.")
      .field("token", &watched_folder::token, "The state; changes() from an older one tells more.");
}

void add_changes(py::module_& m) {
  record<entry> one(m, "Entry", "A message that came or changed.");
  one.made(py::init([](std::string id, std::uint64_t seq, std::uint64_t size, ids flags,
                       const timestamp& arrived) {
             return entry{std::move(id), seq, size, std::move(flags), arrived};
           }),
           "id"_a, "seq"_a, "size"_a, "flags"_a, "arrived"_a);
  one.field("id", &entry::id, "Stable, and the same wherever the message is.")
      .field("seq", &entry::seq, "Grows with every change in the mailbox.")
      .field("size", &entry::size, "Octets: header block and parts.")
      .field("flags", &entry::flags, "Words, each once.")
      .field("arrived", &entry::arrived, "When the server took it.");
  record<change> changed(m, "Change", "One change of a folder.");
  changed.made(py::init([](std::string id, std::optional<entry> present) {
                 return change{std::move(id), std::move(present)};
               }),
               "id"_a, "present"_a = std::nullopt);
  changed.field("id", &change::id, "The message's id.")
      .field("present", &change::present, "Its Entry; None where it left the folder.");
  record<change_page> page(m, "ChangePage", "What changed, up to a limit.");
  page.made(py::init([](std::vector<change> changes, std::string token, bool more) {
              return change_page{std::move(changes), std::move(token), more};
            }),
            "changes"_a, "token"_a, "more"_a);
  page.field("changes", &change_page::changes, "In order.")
      .field("token", &change_page::token, "The state after this page.")
      .field("more", &change_page::more, "Another page can be had at once.");
}

void add_search(py::module_& m) {
  record<search_query> query(m, "SearchQuery", R"(What to look for: messages that meet all of it.

Texts are compared without regard to case; each is a phrase.

>>> ima.retrieval.SearchQuery(sender=["alice"], flags=["flagged"]).sender
['alice']
)");
  query.made(
      py::init([](ids text, ids sender, ids recipient, ids subject, ids flags, ids without_flags,
                  std::optional<timestamp> since, std::optional<timestamp> before,
                  std::optional<std::uint64_t> min_size, std::optional<std::uint64_t> max_size) {
        return search_query{std::move(sender),
                            std::move(recipient),
                            std::move(subject),
                            std::move(text),
                            std::move(flags),
                            std::move(without_flags),
                            since,
                            before,
                            min_size,
                            max_size};
      }),
      "text"_a = ids{}, py::kw_only(), "sender"_a = ids{}, "recipient"_a = ids{},
      "subject"_a = ids{}, "flags"_a = ids{}, "without_flags"_a = ids{}, "since"_a = std::nullopt,
      "before"_a = std::nullopt, "min_size"_a = std::nullopt, "max_size"_a = std::nullopt);
  query.field("text", &search_query::text, "In the header lines and the text parts.")
      .field("sender", &search_query::from, "In ``from:``, ``mailer:`` and ``reply-to:``.")
      .field("recipient", &search_query::to, "In ``to:``, ``cc:`` and ``bcc:``.")
      .field("subject", &search_query::subject, "In the subject.")
      .field("flags", &search_query::flags, "That are set.")
      .field("without_flags", &search_query::without_flags, "That are not set.")
      .field("since", &search_query::since, "Arrived then or later.")
      .field("before", &search_query::before, "Arrived earlier.")
      .field("min_size", &search_query::min_size, "Octets.")
      .field("max_size", &search_query::max_size, "Octets.");
  record<search_page> page(m, "SearchPage", "What was found, newest first, up to a limit.");
  page.made(py::init([](ids found, std::string cursor) {
              return search_page{std::move(found), std::move(cursor)};
            }),
            "ids"_a, "cursor"_a = "");
  page.field("ids", &search_page::ids, "The messages' ids.")
      .field("cursor", &search_page::cursor, "Asks for the next page; empty: there is none.");
  record<quota_status> quota(m, "QuotaStatus", "What the whole mailbox holds, and may hold.");
  quota.made(py::init([](std::uint64_t size, std::optional<std::uint64_t> max_size,
                         std::uint64_t messages, std::optional<std::uint64_t> max_messages) {
               return quota_status{size, max_size, messages, max_messages};
             }),
             "size"_a, "max_size"_a, "messages"_a, "max_messages"_a);
  quota.field("size", &quota_status::size, "Octets of all messages.")
      .field("max_size", &quota_status::max_size, "The most; None for no limit.")
      .field("messages", &quota_status::messages, "How many.")
      .field("max_messages", &quota_status::max_messages, "The most; None for no limit.");
}

void add_sending(py::module_& m) {
  record<recipient_outcome> one(m, "RecipientOutcome",
                                "What became of a message for one recipient.");
  one.made(
      py::init([](const address_in& recipient, recipient_outcome::kind what, std::string text) {
        return recipient_outcome{what, *recipient, std::move(text)};
      }),
      "recipient"_a, "outcome"_a, "text"_a = "");
  one.field("recipient", &recipient_outcome::recipient, "The Address.")
      .field("outcome", &recipient_outcome::what,
             "OK, QUEUED (the post office tries again), FAIL or DEFER.")
      .field("text", &recipient_outcome::text, "For people; may be empty.");
  record<send_end> end(m, "SendEnd", "How a message was sent, as a whole.");
  end.made(py::init([](send_verdict verdict, std::string saved) {
             return send_end{verdict, std::move(saved)};
           }),
           "verdict"_a, "saved"_a = "");
  end.field("verdict", &send_end::what, "delivered, queued, mixed, refused or deferred.")
      .field("saved", &send_end::saved, "The id of the copy that was kept; may be empty.");
  record<queued_message> waiting(m, "QueuedMessage", "A message that waits for one recipient.");
  waiting.made(py::init([](std::string id, const address_in& recipient, const timestamp& since,
                           std::optional<timestamp> next, std::string text) {
                 return queued_message{std::move(id), *recipient, since, next, std::move(text)};
               }),
               "id"_a, "recipient"_a, "since"_a, "next"_a = std::nullopt, "text"_a = "");
  waiting.field("id", &queued_message::id, "The message's digest, in hexadecimal.")
      .field("recipient", &queued_message::recipient, "The Address.")
      .field("since", &queued_message::since, "When it was queued.")
      .field("next", &queued_message::next, "The next attempt; None where none is planned.")
      .field("text", &queued_message::text, "What the last attempt met; may be empty.");
}

void add_reading_replies(py::module_& m) {
  record<reply::greeting>(m, "Greeting", "The greeting came and names the expected host.")
      .field("capabilities", &reply::greeting::capabilities,
             "What the post office can do besides.");
  record<reply::folder>(m, "FolderReply", "A line of the list of folders.")
      .field("info", &reply::folder::info, "The FolderInfo.");
  record<reply::changed_entry>(m, "ChangeReply", "A line of the list of changes.")
      .field("change", &reply::changed_entry::what, "The Change.");
  record<header_event>(m, "HeaderReply", "A message's header block, as the server sent it.")
      .field("id", &header_event::id, "The message's id.")
      .field("block", &header_event::block, "What the sender wrote; not parsed yet.")
      .field("record", &header_event::record, "What the server proved.");
  record<reply::part_begin>(m, "PartReply", "A part's octets begin.")
      .field("id", &reply::part_begin::id, "The message's id.")
      .field("part", &reply::part_begin::part, "From 1.")
      .field("offset", &reply::part_begin::offset, "Of the first octet.")
      .field("length", &reply::part_begin::length, "How many octets come.");
  record<octets_event>(m, "OctetsReply", "Octets of the part.")
      .field("data", &octets_event::data, "A memoryview of what was received.");
  record<reply::found>(m, "FoundReply", "search(): a message that meets the query.")
      .field("id", &reply::found::id, "The message's id.");
}

void add_changing_replies(py::module_& m) {
  record<reply::gone>(m, "GoneReply", "A message is not in the folder.")
      .field("id", &reply::gone::id, "The message's id.");
  record<reply::changed>(m, "ChangedReply", "FLAG left a message alone, as it had changed.")
      .field("id", &reply::changed::id, "The message's id.");
  record<reply::copied>(m, "CopiedReply", "A message was copied.")
      .field("id", &reply::copied::id, "The message's id.")
      .field("new_id", &reply::copied::new_id, "The copy's id.");
  record<reply::accepted>(m, "AcceptedReply",
                          "append(), send(): the message is taken; its body is due.");
  record<reply::outcome>(m, "OutcomeReply", "send(): what became of a recipient.")
      .field("result", &reply::outcome::what, "The RecipientOutcome.");
  record<reply::note> note(m, "NoteReply", "send(): something for people.");
  note.field("host", &reply::note::host, "The hostpart that says it; may be empty.")
      .field("text", &reply::note::text, "What it says.");
  record<reply::queued>(m, "QueuedReply", "queue(): a message that waits.")
      .field("message", &reply::queued::what, "The QueuedMessage.");
  record<reply::event>(m, "FolderChanged", "A watched folder changed; no answer to a request.")
      .field("now", &reply::event::now, "The WatchedFolder with its state now.");
}

void add_ends(py::module_& m) {
  record<reply::done>(m, "RequestDone", "A request is over.")
      .computed(
          "failed",
          [](const reply::done& d) -> py::object {
            if (!d.failed) return py::none();
            return exception_for({d.failed->temporary ? fault::temporary : fault::refused,
                                  to_string(d.failed->why), "", d.failed->text});
          },
          "An Error where it was not done, or None.")
      .field("status", &reply::done::status, "After status(): a FolderStatus.")
      .field("token", &reply::done::token, "After changes(): the state.")
      .field("more", &reply::done::more, "After changes(): another page can be had.")
      .field("id", &reply::done::id, "After append(): the message's id.")
      .field("cursor", &reply::done::cursor, "After search(): asks for the next page.")
      .field("quota", &reply::done::quota, "After quota(): a QuotaStatus.")
      .field("sent", &reply::done::sent, "After send(): a SendEnd.");
  record<reply::closed>(m, "SessionClosed", "The connection is over; nothing was waiting.");
}

}  // namespace

void add_retrieval_records(py::module_& m) {
  add_folders(m);
  add_changes(m);
  add_search(m);
  add_sending(m);
}

void add_retrieval_events(py::module_& m) {
  add_reading_replies(m);
  add_changing_replies(m);
  add_ends(m);
}

}  // namespace ima::python

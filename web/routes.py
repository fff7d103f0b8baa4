"""Every URL, on one screen: what it answers to, who may open it, its name, and its function."""

from __future__ import annotations

from urllib.parse import quote

from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import BaseRoute, Route

from web import (
    affiliations,
    afterwards,
    agreement,
    applications,
    attendance,
    audit,
    batches,
    books,
    calendar,
    care,
    commons,
    duties,
    entries,
    exports,
    feed,
    files,
    formats,
    gathering,
    gatherings,
    health,
    here,
    home,
    imports,
    inbox,
    invitation,
    invitations,
    inviting,
    join,
    listings,
    lists,
    mail,
    me,
    members,
    months,
    my_data,
    organisations,
    paper,
    password,
    proposals,
    reports,
    seats,
    settlement,
    sheets,
    sign_in,
    statement,
    stay,
    whats_on,
)
from web import language as languages
from web.access import Handler, Policy, guard

PUBLIC, ANYONE, SIGNED_IN = Policy.PUBLIC, Policy.ANYONE, Policy.SIGNED_IN
DEMO_ONLY = Policy.DEMO_ONLY
MEMBER, ACTIVE = Policy.MEMBER, Policy.ACTIVE
COORDINATOR, STEWARD = Policy.COORDINATOR, Policy.STEWARD

# fmt: off
TABLE: tuple[tuple[str, str, Policy, str, Handler], ...] = (
    ("GET",  "/",                                   ANYONE,      "home:front",               home.front),
    ("GET",  "/health",                             PUBLIC,      "health:show",              health.show),
    ("GET",  "/favicon.ico",                        PUBLIC,      "files:icon",               files.icon),
    ("GET",  "/static/{file:path}",                 PUBLIC,      "files:show",               files.show),
    ("POST", "/language",                           ANYONE,      "language:choose",          languages.choose),
    ("GET",  "/sign-in",                            ANYONE,      "sign_in:new",              sign_in.new),
    ("POST", "/sign-in",                            ANYONE,      "sign_in:create",           sign_in.create),
    ("GET",  "/sign-in/link",                       ANYONE,      "sign_in:ask_link",         sign_in.ask_link),
    ("POST", "/sign-in/link",                       ANYONE,      "sign_in:send_link",        sign_in.send_link),
    ("GET",  "/sign-in/link/{token}",               ANYONE,      "sign_in:open_link",        sign_in.open_link),
    ("POST", "/sign-in/link/{token}",               ANYONE,      "sign_in:use_link",         sign_in.use_link),
    ("POST", "/sign-out",                           SIGNED_IN,   "sign_in:destroy",          sign_in.destroy),
    ("POST", "/sign-out/everywhere",                SIGNED_IN,   "sign_in:destroy_all",      sign_in.destroy_all),
    ("GET",  "/password/forgotten",                 ANYONE,      "password:ask",             password.ask),
    ("POST", "/password/forgotten",                 ANYONE,      "password:send",            password.send),
    ("GET",  "/password/{token}",                   ANYONE,      "password:new",             password.new),
    ("POST", "/password/{token}",                   ANYONE,      "password:create",          password.create),
    ("GET",  "/invitation/{token}",                 ANYONE,      "invitation:show",          invitation.show),
    ("POST", "/invitation/{token}",                 ANYONE,      "invitation:accept",        invitation.accept),
    ("GET",  "/stay/{token}",                       ANYONE,      "stay:show",                stay.show),
    ("POST", "/stay/{token}",                       ANYONE,      "stay:say_yes",             stay.say_yes),
    ("GET",  "/here/{token}",                       ANYONE,      "here:show",                here.show),
    ("POST", "/here/{token}",                       ANYONE,      "here:come",                here.come),
    ("GET",  "/gathering/{token}",                  ANYONE,      "gathering:show",           gathering.show),
    ("POST", "/gathering/{token}",                  ANYONE,      "gathering:answer",         gathering.answer),
    ("GET",  "/gathering/{token}/event.ics",        PUBLIC,      "gathering:as_event",       gathering.as_event),
    ("POST", "/gathering/{token}/join",             ANYONE,      "gathering:join",           gathering.join),
    ("GET",  "/me",                                 SIGNED_IN,   "me:show",                  me.show),
    ("POST", "/me/language",                        SIGNED_IN,   "me:language",              me.language),
    ("POST", "/me/password",                        SIGNED_IN,   "me:password",              me.password),
    ("GET",  "/mail",                               DEMO_ONLY,   "mail:index",               mail.index),
    ("GET",  "/mail/{name}",                        DEMO_ONLY,   "mail:show",                mail.show),

    ("GET",  "/c/{slug}/",                          MEMBER,      "home:show",                home.show),
    ("GET",  "/c/{slug}/join",                      ANYONE,      "join:new",                 join.new),
    ("POST", "/c/{slug}/join",                      ANYONE,      "join:create",              join.create),

    # Entries and statements.
    ("GET",  "/c/{slug}/entries/",                  MEMBER,      "entries:index",            entries.index),
    ("POST", "/c/{slug}/entries/",                  ACTIVE,      "entries:create",           entries.create),
    ("GET",  "/c/{slug}/entries/new",               ACTIVE,      "entries:new",              entries.new),
    ("GET",  "/c/{slug}/entries/{id}",              MEMBER,      "entries:show",             entries.show),
    ("GET",  "/c/{slug}/entries/{id}/change",       ACTIVE,      "entries:edit",             entries.edit),
    ("POST", "/c/{slug}/entries/{id}/change",       ACTIVE,      "entries:update",           entries.update),
    ("POST", "/c/{slug}/entries/{id}/confirm",      ACTIVE,      "entries:confirm",          entries.confirm),
    ("POST", "/c/{slug}/entries/{id}/dispute",      ACTIVE,      "entries:dispute",          entries.dispute),
    ("POST", "/c/{slug}/entries/{id}/answer",       ACTIVE,      "entries:answer",           entries.answer),
    ("POST", "/c/{slug}/entries/{id}/withdraw",     ACTIVE,      "entries:withdraw",         entries.withdraw),
    ("POST", "/c/{slug}/entries/{id}/return",       COORDINATOR, "entries:return",           entries.return_with_question),
    ("POST", "/c/{slug}/entries/{id}/approve",      COORDINATOR, "entries:approve",          entries.approve),
    ("POST", "/c/{slug}/entries/{id}/decline",      COORDINATOR, "entries:decline",          entries.decline),
    ("POST", "/c/{slug}/entries/{id}/keep",         COORDINATOR, "entries:keep",             entries.keep),
    ("POST", "/c/{slug}/entries/{id}/take",         COORDINATOR, "entries:take",             entries.take),
    ("GET",  "/c/{slug}/entries/{id}/correct",      COORDINATOR, "entries:ask_correct",      entries.ask_correct),
    ("POST", "/c/{slug}/entries/{id}/correct",      COORDINATOR, "entries:correct",          entries.correct),
    ("GET",  "/c/{slug}/entries/{id}/undo",         COORDINATOR, "entries:ask_undo",         entries.ask_undo),
    ("POST", "/c/{slug}/entries/{id}/undo",         COORDINATOR, "entries:undo",             entries.undo),

    # The desk.
    ("GET",  "/c/{slug}/inbox",                     COORDINATOR, "inbox:index",              inbox.index),
    ("POST", "/c/{slug}/inbox/approve",             COORDINATOR, "inbox:approve",            inbox.approve),
    ("POST", "/c/{slug}/inbox/return",              COORDINATOR, "inbox:return",             inbox.return_with_question),
    ("POST", "/c/{slug}/inbox/welcome",             COORDINATOR, "inbox:welcome",            inbox.welcome),
    ("POST", "/c/{slug}/inbox/aside",               COORDINATOR, "inbox:put_aside",          inbox.put_aside),
    ("POST", "/c/{slug}/inbox/take",                COORDINATOR, "inbox:take",               inbox.take),
    ("POST", "/c/{slug}/inbox/let-go",              COORDINATOR, "inbox:let_go",             inbox.let_go),
    ("GET",  "/c/{slug}/inbox/done",                COORDINATOR, "inbox:done",               inbox.done),
    ("GET",  "/c/{slug}/inbox/done/{id}/undo",      COORDINATOR, "inbox:ask_undo",           inbox.ask_undo),
    ("POST", "/c/{slug}/inbox/done/{id}/undo",      COORDINATOR, "inbox:undo",               inbox.undo),
    ("POST", "/c/{slug}/inbox/mail",                COORDINATOR, "inbox:choose_mail",        inbox.choose_mail),

    # Paper, sheets, what comes in and what goes out.
    ("GET",  "/c/{slug}/paper/",                    COORDINATOR, "paper:index",              paper.index),
    ("GET",  "/c/{slug}/paper/sheet",               COORDINATOR, "paper:sheet",              paper.sheet),
    ("GET",  "/c/{slug}/paper/members",             MEMBER,      "paper:members",            paper.members),
    ("GET",  "/c/{slug}/paper/board",               MEMBER,      "paper:board",              paper.board),
    ("GET",  "/c/{slug}/paper/statements",          COORDINATOR, "paper:statements",         paper.statements),
    ("POST", "/c/{slug}/paper/statements",          COORDINATOR, "paper:make_statements",    paper.make_statements),
    ("GET",  "/c/{slug}/paper/statements/file",     COORDINATOR, "paper:statements_file",    paper.statements_file),
    ("GET",  "/c/{slug}/sheets/new",                COORDINATOR, "sheets:new",               sheets.new),
    ("POST", "/c/{slug}/sheets/new",                COORDINATOR, "sheets:create",            sheets.create),
    ("GET",  "/c/{slug}/sheets/names",              COORDINATOR, "sheets:names",             sheets.names),
    ("GET",  "/c/{slug}/batches/",                  COORDINATOR, "batches:index",            batches.index),
    ("GET",  "/c/{slug}/batches/{id}",              COORDINATOR, "batches:show",             batches.show),
    ("GET",  "/c/{slug}/batches/{id}/undo",         COORDINATOR, "batches:ask_undo",         batches.ask_undo),
    ("POST", "/c/{slug}/batches/{id}/undo",         COORDINATOR, "batches:undo",             batches.undo),
    ("GET",  "/c/{slug}/statement",                 MEMBER,      "statement:show",           statement.show),
    ("GET",  "/c/{slug}/statement/{account_id}",    MEMBER,      "statement:of_account",     statement.of_account),

    ("GET",  "/c/{slug}/imports/",                  COORDINATOR, "imports:index",            imports.index),
    ("POST", "/c/{slug}/imports/",                  COORDINATOR, "imports:create",           imports.create),
    ("GET",  "/c/{slug}/imports/{id}",              COORDINATOR, "imports:show",             imports.show),
    ("POST", "/c/{slug}/imports/{id}/check",        COORDINATOR, "imports:check",            imports.check),
    ("POST", "/c/{slug}/imports/{id}/run",          COORDINATOR, "imports:run",              imports.run),
    ("GET",  "/c/{slug}/imports/{id}/undo",         COORDINATOR, "imports:ask_undo",         imports.ask_undo),
    ("POST", "/c/{slug}/imports/{id}/undo",         COORDINATOR, "imports:undo",             imports.undo),
    ("POST", "/c/{slug}/imports/{id}/forget",       COORDINATOR, "imports:forget",           imports.forget),
    ("GET",  "/c/{slug}/exports/",                  STEWARD,     "exports:index",            exports.index),
    ("POST", "/c/{slug}/exports/archive",           STEWARD,     "exports:archive",          exports.archive),
    ("POST", "/c/{slug}/exports/journal",           STEWARD,     "exports:journal",          exports.journal),

    # Members, organisations, offers and requests.
    ("GET",  "/c/{slug}/members/",                  MEMBER,      "members:index",            members.index),
    ("POST", "/c/{slug}/members/",                  COORDINATOR, "members:create",           members.create),
    ("GET",  "/c/{slug}/members/new",               COORDINATOR, "members:new",              members.new),
    ("GET",  "/c/{slug}/members/{id}",              MEMBER,      "members:show",             members.show),
    ("GET",  "/c/{slug}/members/{id}/edit",         ACTIVE,      "members:edit",             members.edit),
    ("POST", "/c/{slug}/members/{id}/edit",         ACTIVE,      "members:update",           members.update),
    ("POST", "/c/{slug}/members/{id}/welcome",      COORDINATOR, "members:welcome",          members.welcome),
    ("POST", "/c/{slug}/members/{id}/decline",      COORDINATOR, "members:decline",          members.decline),
    ("POST", "/c/{slug}/members/{id}/pause",        MEMBER,      "members:pause",            members.pause),
    ("POST", "/c/{slug}/members/{id}/resume",       MEMBER,      "members:resume",           members.resume),
    ("POST", "/c/{slug}/members/{id}/leave",        MEMBER,      "members:leave",            members.leave),
    ("POST", "/c/{slug}/members/{id}/role",         STEWARD,     "members:role",             members.role),
    ("GET",  "/c/{slug}/members/{id}/contact",      MEMBER,      "members:contact",          members.contact),
    ("GET",  "/c/{slug}/members/{id}/listings",     MEMBER,      "members:listings",         members.listings_of),
    ("GET",  "/c/{slug}/members/{id}/buddies",      MEMBER,      "members:buddies",          members.buddies_page),
    ("POST", "/c/{slug}/members/{id}/buddies",      ACTIVE,      "members:add_buddy",        members.add_buddy),
    ("POST", "/c/{slug}/members/{id}/buddies/{row}/end", MEMBER,      "members:end_buddy",        members.end_buddy),
    ("POST", "/c/{slug}/members/{id}/buddies/{row}/contact", MEMBER,      "members:let_contact",      members.let_contact),
    ("POST", "/c/{slug}/members/{id}/apart",        MEMBER,      "members:keep_apart",       members.keep_apart),
    ("POST", "/c/{slug}/members/{id}/together",     MEMBER,      "members:end_apart",        members.end_apart),
    ("GET",  "/c/{slug}/affiliations/{id}",         MEMBER,      "affiliations:show",        affiliations.show),
    ("POST", "/c/{slug}/affiliations/{id}",         ACTIVE,      "affiliations:create",      affiliations.create),
    ("POST", "/c/{slug}/affiliations/{id}/{row}/confirm", ACTIVE,      "affiliations:confirm",     affiliations.confirm),
    ("POST", "/c/{slug}/affiliations/{id}/{row}/end", ACTIVE,      "affiliations:end",         affiliations.end),
    ("POST", "/c/{slug}/affiliations/{id}/{row}/remove", ACTIVE,      "affiliations:remove",      affiliations.remove),
    ("GET",  "/c/{slug}/organisations/",            MEMBER,      "organisations:index",      organisations.index),
    ("POST", "/c/{slug}/organisations/",            COORDINATOR, "organisations:create",     organisations.create),
    ("GET",  "/c/{slug}/organisations/new",         COORDINATOR, "organisations:new",        organisations.new),
    ("GET",  "/c/{slug}/organisations/{id}",        MEMBER,      "organisations:show",       organisations.show),
    ("GET",  "/c/{slug}/organisations/{id}/edit",   ACTIVE,      "organisations:edit",       organisations.edit),
    ("POST", "/c/{slug}/organisations/{id}/edit",   ACTIVE,      "organisations:update",     organisations.update),
    ("POST", "/c/{slug}/organisations/{id}/people", ACTIVE,      "organisations:add_person", organisations.add_person),
    ("GET",  "/c/{slug}/listings/",                 MEMBER,      "listings:index",           listings.index),
    ("POST", "/c/{slug}/listings/",                 ACTIVE,      "listings:create",          listings.create),
    ("GET",  "/c/{slug}/listings/new",              ACTIVE,      "listings:new",             listings.new),
    ("GET",  "/c/{slug}/listings/board",            MEMBER,      "listings:board",           listings.board),
    ("GET",  "/c/{slug}/listings/{id}",             MEMBER,      "listings:show",            listings.show),
    ("GET",  "/c/{slug}/listings/{id}/edit",        ACTIVE,      "listings:edit",            listings.edit),
    ("POST", "/c/{slug}/listings/{id}/edit",        ACTIVE,      "listings:update",          listings.update),
    ("POST", "/c/{slug}/listings/{id}/renew",       ACTIVE,      "listings:renew",           listings.renew),
    ("POST", "/c/{slug}/listings/{id}/close",       ACTIVE,      "listings:close",           listings.close),
    ("POST", "/c/{slug}/listings/{id}/answer",      ACTIVE,      "listings:answer",          listings.answer),
    ("POST", "/c/{slug}/listings/{id}/take-back",   ACTIVE,      "listings:take_back",       listings.take_back),
    ("GET",  "/c/{slug}/applications/",             COORDINATOR, "applications:index",       applications.index),
    ("POST", "/c/{slug}/applications/{id}/same",    COORDINATOR, "applications:same",        applications.same),
    ("GET",  "/c/{slug}/care/",                     COORDINATOR, "care:index",               care.index),
    ("POST", "/c/{slug}/care/",                     COORDINATOR, "care:welcome_many",        care.welcome_many),
    ("GET",  "/c/{slug}/care/{id}",                 COORDINATOR, "care:show",                care.show),
    ("POST", "/c/{slug}/care/{id}/notes",           COORDINATOR, "care:note",                care.note),
    ("POST", "/c/{slug}/care/{id}/notes/{row}/remove", COORDINATOR, "care:remove_note",         care.remove_note),
    ("POST", "/c/{slug}/care/{id}/checks",          COORDINATOR, "care:check",               care.check),
    ("POST", "/c/{slug}/care/{id}/welcome",         COORDINATOR, "care:welcome",             care.welcome),
    ("POST", "/c/{slug}/care/{id}/apart",           COORDINATOR, "care:keep_apart",          care.keep_apart),
    ("POST", "/c/{slug}/care/{id}/apart/{row}/end", COORDINATOR, "care:end_apart",           care.end_apart),
    ("POST", "/c/{slug}/care/{id}/stay",            COORDINATOR, "care:stay",                care.stay),
    ("GET",  "/c/{slug}/lists/",                    COORDINATOR, "lists:index",              lists.index),
    ("GET",  "/c/{slug}/lists/{list}",              COORDINATOR, "lists:show",               lists.show),
    ("POST", "/c/{slug}/lists/{list}",              COORDINATOR, "lists:add",                lists.add),
    ("POST", "/c/{slug}/lists/{list}/{id}/rename",  COORDINATOR, "lists:rename",             lists.rename),
    ("POST", "/c/{slug}/lists/{list}/{id}/move",    COORDINATOR, "lists:move",               lists.move),
    ("POST", "/c/{slug}/lists/{list}/{id}/retire",  COORDINATOR, "lists:retire",             lists.retire),
    ("POST", "/c/{slug}/lists/{list}/{id}/restore", COORDINATOR, "lists:restore",            lists.restore),
    ("GET",  "/c/{slug}/invitations/",              ACTIVE,      "invitations:index",        invitations.index),
    ("POST", "/c/{slug}/invitations/",              ACTIVE,      "invitations:create",       invitations.create),
    ("POST", "/c/{slug}/invitations/{id}/withdraw", ACTIVE,      "invitations:withdraw",     invitations.withdraw),

    # Gatherings.
    ("GET",  "/c/{slug}/gatherings/",               MEMBER,      "gatherings:index",         gatherings.index),
    ("POST", "/c/{slug}/gatherings/",               ACTIVE,      "gatherings:create",        gatherings.create),
    ("GET",  "/c/{slug}/gatherings/new",            ACTIVE,      "gatherings:new",           gatherings.new),
    ("GET",  "/c/{slug}/gatherings/{id}",           MEMBER,      "gatherings:show",          gatherings.show),
    ("GET",  "/c/{slug}/gatherings/{id}/event.ics", MEMBER,      "gatherings:as_event",      gatherings.as_event),
    ("GET",  "/c/{slug}/gatherings/{id}/series.ics", MEMBER,     "gatherings:as_series",     gatherings.as_series),
    ("GET",  "/c/{slug}/gatherings/{id}/edit",      ACTIVE,      "gatherings:edit",          gatherings.edit),
    ("POST", "/c/{slug}/gatherings/{id}/edit",      ACTIVE,      "gatherings:update",        gatherings.update),
    ("GET",  "/c/{slug}/gatherings/{id}/call-off",  ACTIVE,      "gatherings:ask_call_off",  gatherings.ask_call_off),
    ("POST", "/c/{slug}/gatherings/{id}/call-off",  ACTIVE,      "gatherings:call_off",      gatherings.call_off),
    ("GET",  "/c/{slug}/seats/{id}",                ACTIVE,      "seats:show",               seats.show),
    ("POST", "/c/{slug}/seats/{id}",                ACTIVE,      "seats:add",                seats.add),
    ("POST", "/c/{slug}/seats/{id}/answer",         ACTIVE,      "seats:answer",             seats.answer),
    ("POST", "/c/{slug}/seats/{id}/off",            ACTIVE,      "seats:take_off",           seats.take_off),
    ("POST", "/c/{slug}/duties/{id}/offer",         ACTIVE,      "duties:offer",             duties.offer),
    ("POST", "/c/{slug}/duties/{id}/release",       ACTIVE,      "duties:release",           duties.release),
    ("POST", "/c/{slug}/duties/{id}/ask",           ACTIVE,      "duties:ask",               duties.ask),
    ("POST", "/c/{slug}/duties/{id}/reply",         ACTIVE,      "duties:reply",             duties.reply),
    ("POST", "/c/{slug}/duties/{id}/take-up",       ACTIVE,      "duties:take_up",           duties.take_up),
    ("GET",  "/c/{slug}/inviting/{id}",             ACTIVE,      "inviting:show",            inviting.show),
    ("POST", "/c/{slug}/inviting/{id}",             ACTIVE,      "inviting:create",          inviting.create),
    ("POST", "/c/{slug}/inviting/{id}/cards",       ACTIVE,      "inviting:cards",           inviting.cards),
    ("POST", "/c/{slug}/inviting/{id}/nobody",      ACTIVE,      "inviting:nobody_from",     inviting.nobody_from),
    ("GET",  "/c/{slug}/formats/",                  MEMBER,      "formats:index",            formats.index),
    ("POST", "/c/{slug}/formats/",                  COORDINATOR, "formats:create",           formats.create),
    ("GET",  "/c/{slug}/formats/new",               COORDINATOR, "formats:new",              formats.new),
    ("GET",  "/c/{slug}/formats/{id}/edit",         COORDINATOR, "formats:edit",             formats.edit),
    ("POST", "/c/{slug}/formats/{id}/edit",         COORDINATOR, "formats:update",           formats.update),
    ("POST", "/c/{slug}/formats/{id}/retire",       COORDINATOR, "formats:retire",           formats.retire),
    ("GET",  "/c/{slug}/calendar",                  MEMBER,      "calendar:show",            calendar.show),
    ("GET",  "/c/{slug}/calendar/feed",             MEMBER,      "calendar:ask_feed",        calendar.ask_feed),
    ("POST", "/c/{slug}/calendar/feed",             MEMBER,      "calendar:renew_feed",      calendar.renew_feed),
    ("POST", "/c/{slug}/calendar/open",             COORDINATOR, "calendar:open_to_all",     calendar.open_to_all),
    ("GET",  "/c/{slug}/feed/{token}",              PUBLIC,      "feed:show",                feed.show),
    ("GET",  "/c/{slug}/whats-on/",                 ANYONE,      "whats_on:index",           whats_on.index),
    ("GET",  "/c/{slug}/whats-on/feed.ics",         PUBLIC,      "whats_on:feed",            whats_on.feed),
    ("GET",  "/c/{slug}/whats-on/{id}",             ANYONE,      "whats_on:show",            whats_on.show),
    ("GET",  "/c/{slug}/whats-on/{id}/event.ics",   PUBLIC,      "whats_on:as_event",        whats_on.as_event),

    # What happens in the room: attendance, settlement, what is left afterwards.
    ("GET",  "/c/{slug}/attendance/",               ACTIVE,      "attendance:index",         attendance.index),
    ("GET",  "/c/{slug}/attendance/{id}",           ACTIVE,      "attendance:show",          attendance.show),
    ("POST", "/c/{slug}/attendance/{id}",           ACTIVE,      "attendance:save",          attendance.save),
    ("POST", "/c/{slug}/attendance/{id}/add",       ACTIVE,      "attendance:add",           attendance.add),
    ("POST", "/c/{slug}/attendance/{id}/who",       ACTIVE,      "attendance:recognise",     attendance.recognise),
    ("GET",  "/c/{slug}/attendance/{id}/roles",     ACTIVE,      "attendance:roles",         attendance.roles),
    ("POST", "/c/{slug}/attendance/{id}/roles",     ACTIVE,      "attendance:carry",         attendance.carry),
    ("POST", "/c/{slug}/attendance/{id}/close",     ACTIVE,      "attendance:close",         attendance.close),
    ("POST", "/c/{slug}/attendance/{id}/reopen",    ACTIVE,      "attendance:reopen",        attendance.reopen),
    ("GET",  "/c/{slug}/attendance/{id}/sheet",     ACTIVE,      "attendance:sheet",         attendance.sheet),
    ("GET",  "/c/{slug}/attendance/{id}/door",      ACTIVE,      "attendance:door",          attendance.door),
    ("POST", "/c/{slug}/attendance/{id}/door",      ACTIVE,      "attendance:make_door",     attendance.make_door),
    ("GET",  "/c/{slug}/settlement/{id}",           MEMBER,      "settlement:show",          settlement.show),
    ("POST", "/c/{slug}/settlement/{id}",           ACTIVE,      "settlement:send",          settlement.send),
    ("POST", "/c/{slug}/settlement/{id}/approve",   COORDINATOR, "settlement:approve",       settlement.approve),
    ("POST", "/c/{slug}/settlement/{id}/vouch",     ACTIVE,      "settlement:vouch",         settlement.vouch),
    ("GET",  "/c/{slug}/afterwards/{id}",           MEMBER,      "afterwards:show",          afterwards.show),
    ("POST", "/c/{slug}/afterwards/{id}",           ACTIVE,      "afterwards:tell",          afterwards.tell),
    ("POST", "/c/{slug}/afterwards/{id}/note",      ACTIVE,      "afterwards:note",          afterwards.note),
    ("POST", "/c/{slug}/afterwards/{id}/actions",   ACTIVE,      "afterwards:add_action",    afterwards.add_action),
    ("POST", "/c/{slug}/afterwards/{id}/actions/{action}", ACTIVE, "afterwards:change_action", afterwards.change_action),

    # How we do it: the commons, the agreement, the books, months and reports.
    ("GET",  "/c/{slug}/commons",                   MEMBER,      "commons:show",             commons.show),
    ("GET",  "/c/{slug}/agreement",                 MEMBER,      "agreement:show",           agreement.show),
    ("GET",  "/c/{slug}/agreement/edit",            STEWARD,     "agreement:edit",           agreement.edit),
    ("POST", "/c/{slug}/agreement/edit",            STEWARD,     "agreement:update",         agreement.update),
    ("GET",  "/c/{slug}/agreement/{version:count}", MEMBER,      "agreement:version",        agreement.version),
    ("GET",  "/c/{slug}/proposals/",                MEMBER,      "proposals:index",          proposals.index),
    ("POST", "/c/{slug}/proposals/",                ACTIVE,      "proposals:create",         proposals.create),
    ("GET",  "/c/{slug}/proposals/new",             ACTIVE,      "proposals:new",            proposals.new),
    ("GET",  "/c/{slug}/proposals/{id}",            MEMBER,      "proposals:show",           proposals.show),
    ("GET",  "/c/{slug}/proposals/{id}/edit",       ACTIVE,      "proposals:edit",           proposals.edit),
    ("POST", "/c/{slug}/proposals/{id}/edit",       ACTIVE,      "proposals:update",         proposals.update),
    ("POST", "/c/{slug}/proposals/{id}/voice",      ACTIVE,      "proposals:voice",          proposals.voice),
    ("POST", "/c/{slug}/proposals/{id}/comment",    ACTIVE,      "proposals:comment",        proposals.comment),
    ("POST", "/c/{slug}/proposals/{id}/withdraw",   ACTIVE,      "proposals:withdraw",       proposals.withdraw),
    ("POST", "/c/{slug}/proposals/{id}/settle",     STEWARD,     "proposals:settle",         proposals.settle),
    ("POST", "/c/{slug}/proposals/{id}/decline",    STEWARD,     "proposals:decline",        proposals.decline),
    ("GET",  "/c/{slug}/months/",                   MEMBER,      "months:index",             months.index),
    ("GET",  "/c/{slug}/months/{month}",            MEMBER,      "months:show",              months.show),
    ("GET",  "/c/{slug}/months/{month}/{number:count}", MEMBER,  "months:number",            months.number),
    ("POST", "/c/{slug}/months/{month}/close",      COORDINATOR, "months:close",             months.close),
    ("POST", "/c/{slug}/months/{month}/reopen",     STEWARD,     "months:reopen",            months.reopen),
    ("POST", "/c/{slug}/months/{month}/agree",      STEWARD,     "months:agree",             months.agree),
    ("POST", "/c/{slug}/months/{month}/keep",       STEWARD,     "months:keep",              months.keep),
    ("GET",  "/c/{slug}/reports",                   COORDINATOR, "reports:show",             reports.show),
    ("GET",  "/c/{slug}/books",                     MEMBER,      "books:show",               books.show),
    ("POST", "/c/{slug}/books/verify",              COORDINATOR, "books:verify",             books.verify),
    ("GET",  "/c/{slug}/audit",                     MEMBER,      "audit:show",               audit.show),
    ("GET",  "/c/{slug}/my-data",                   MEMBER,      "my_data:show",             my_data.show),
    ("GET",  "/c/{slug}/my-data/download",          MEMBER,      "my_data:download",         my_data.download),
    ("POST", "/c/{slug}/my-data/stories",           MEMBER,      "my_data:forbid",           my_data.forbid),
    ("POST", "/c/{slug}/my-data/close",             MEMBER,      "my_data:close",            my_data.close),
)
# fmt: on


class _Count(Convertor[int]):
    """A number from 1 on, short enough for every database."""

    regex = "[1-9][0-9]{0,8}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


def routes() -> list[BaseRoute]:
    """The table as Starlette takes it, each function behind its policy."""
    register_url_convertor("count", _Count())
    return [
        Route(path, guard(policy, path, handler), methods=[method], name=name)
        for method, path, policy, name, handler in TABLE
    ]


_PATHS = {name: path for _method, path, _policy, name, _handler in TABLE}


def path_for(name: str, params: dict[str, str]) -> str:
    """The path of a route, with these values in it; values it has no place for are left out.

    Raises `KeyError` for a route we do not have, and for a value that is missing.
    """
    head, *pieces = _PATHS[name].split("{")
    found = [head]
    for piece in pieces:
        field, _closing, rest = piece.partition("}")
        found += [quote(params[field.partition(":")[0]], safe=""), rest]
    return "".join(found)

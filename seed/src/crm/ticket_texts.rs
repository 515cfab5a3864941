//! What clients write to support, and what they are answered: case by case, with slots for names and numbers.

use super::people::{CONSULTING, DESIGN, ENGINEERING, FINANCE, MARKETING, SUPPORT};

/// Cases that go to the same department.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) weight: u32,
    /// Department that answers.
    pub(super) unit: usize,
    /// Weights of the priorities from low to urgent.
    pub(super) priorities: [u32; 4],
    pub(super) cases: &'static [Case],
}

/// A request and what is said about it: everything fits together.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) subject: &'static str,
    pub(super) message: &'static str,
    /// First answer: a question or a promise.
    pub(super) answer: &'static str,
    /// What the client says to that.
    pub(super) detail: &'static str,
    pub(super) solution: &'static str,
}

/// How a client's message begins and ends.
pub(super) const GREETINGS: &[&str] = &[
    "",
    "",
    "Hello, ",
    "Hi, ",
    "Good morning, ",
    "Hello everybody, ",
    "Hi there, ",
];
pub(super) const CLOSINGS: &[&str] = &[
    "",
    "",
    "",
    " Thanks, {name}",
    " Kind regards, {name}",
    " Best regards, {name}",
    " Thank you!",
];

/// How one of ours does.
pub(super) const OUR_GREETINGS: &[&str] =
    &["Hi {name}, ", "Hello {name}, ", "Good morning {name}, "];
pub(super) const OUR_CLOSINGS: &[&str] = &[
    "",
    "",
    " Best, {staff}",
    " Regards, {staff}",
    " Kind regards, {staff}, {unit}",
];

/// What a client says at the end.
#[rustfmt::skip]
pub(super) const THANKS: &[&str] = &[
    "Works now, thank you!", "Perfect, that was quick.", "Thanks {staff}, all good on our side.", "Confirmed, you can close this one.", "Great, many thanks for the help.",
    "Thank you, I have passed it on to the team.", "Looks good. Thanks!", "Just checked: fine. Thank you {staff}.",
];

/// What a client says when something is still missing.
#[rustfmt::skip]
pub(super) const NOT_YET: &[&str] = &[
    "Thanks, but two of my colleagues say that it is not quite right yet.", "Nearly. Could you have another look, please?", "I have just checked and see no difference so far.", "Better, but not all of it.",
];

/// What we answer to that.
#[rustfmt::skip]
pub(super) const AGAIN: &[&str] = &[
    "Sorry about that. I have taken a second look and found one more thing that had been left out. Please check once more.", "Thanks for checking. The change had not gone out everywhere; it has now.",
    "I have asked a colleague to join in. We found the rest of it and put it right.",
];

/// What colleagues note for each other.
#[rustfmt::skip]
pub(super) const INTERNAL: &[&str] = &[
    "Same as last month, see the history of this client.", "Asked engineering, answer tomorrow.", "Contact is on holiday until Monday, deputy informed.", "Covered by the support plan, no extra charge.",
    "Could become a small project, told the account manager.", "Please keep an eye on this one, the client is about to renew.",
];

const fn case(
    subject: &'static str,
    message: &'static str,
    answer: &'static str,
    detail: &'static str,
    solution: &'static str,
) -> Case {
    Case {
        subject,
        message,
        answer,
        detail,
        solution,
    }
}

#[rustfmt::skip]
pub(super) const TOPICS: &[Topic] = &[
    Topic { name: "log-in", weight: 14, unit: SUPPORT, priorities: [10, 50, 30, 10], cases: &[
        case("Can't log in to the portal", "since this morning I can't log in to the customer portal. It says that my password is wrong, but I am sure that it is right.",
            "which browser do you use, and did it work on this computer before?", "Chrome on Windows, and yes, it worked on Friday.",
            "your account had been locked after too many attempts. I have unlocked it and sent you a link for a new password, good for 24 hours."),
        case("Password reset mail does not arrive", "I have asked for a new password {n} times now and get no mail, not even in the spam folder.",
            "could you tell me the address that you log in with?", "It is my usual business address, the one I write from.",
            "the mails were held back by your company's filter. We have switched to another sender; the reset mail should be in your inbox now."),
        case("New colleague needs access", "{other} has joined our team and needs the same access as I have. Could you set that up, please?",
            "gladly. May {other} see invoices too?", "Yes please, exactly as in my account.",
            "access is set up, and the invitation is on its way to {other}."),
        case("Account locked after update", "my account is locked since the update on the weekend. I need the invoices of last month today, if possible.",
            "I am checking your account right away. The invoices come by separate mail in the meantime.", "Thank you, they have arrived. The account is still locked.",
            "the update had set all accounts without a recent log-in to inactive, yours among them. It is active again, and so are {n} others at your company."),
        case("Change of mail address", "my mail address has changed after our re-branding. How can I log in with the new one?",
            "we can change it for you. Are there more colleagues with a new address?", "Yes, {n} in all. The part in front of the @ stays the same.",
            "all {n} addresses are changed. The old ones keep working for log-in until the end of the month."),
    ] },
    Topic { name: "website down", weight: 9, unit: ENGINEERING, priorities: [0, 5, 35, 60], cases: &[
        case("Website not reachable", "our website shows only an error page (502) for about {n} minutes. Customers are calling already. Please help quickly!",
            "we see it too and are on it. Next update in 30 minutes.", "Thank you. Please call me on my mobile if you need anything.",
            "the server had run out of disk space because of a log file. Space is freed, the log is limited now, and an alarm is set at 80 %."),
        case("Shop very slow today", "the shop takes more than {n} seconds to open a product page. Yesterday everything was fine. Is there a known problem?",
            "the on-call engineer is looking at the server right now. Do all pages take that long?", "It comes and goes: the home page is fine at the moment, categories are not.",
            "an import had blocked the database. It is stopped, and will run at night from now on."),
        case("Certificate warning on our domain", "visitors get a warning that the connection is not private. I think that the certificate has run out.",
            "that is right, it ran out last night. We are renewing it now.", "OK. Our newsletter goes out at noon, so before that would be great.",
            "the certificate has been renewed, and we corrected the automatic renewal. No warning any more on our side."),
        case("Contact form shows an error", "the contact form answers with \"something went wrong\" since yesterday. We may have missed enquiries.",
            "I can reproduce it. Could you tell me when the last enquiry reached you?", "Yesterday at about 11 am.",
            "the mail server had refused our password after a change on your side. It is entered anew; {n} enquiries that were kept in the queue have been delivered."),
    ] },
    Topic { name: "invoice", weight: 13, unit: FINANCE, priorities: [25, 60, 13, 2], cases: &[
        case("Question about our last invoice", "could you explain the line \"additional development\" on our last invoice? We expected {n} hours less.",
            "I am checking it with the project manager and will come back to you today.", "Thank you. No hurry, but before the end of the month would be good.",
            "the list of hours is attached. The additional work was agreed on in the call at the beginning of the month; I have added the note of that call."),
        case("Purchase order number missing", "our accounting can only pay invoices that show the purchase order number. Please send a corrected one.",
            "sure. Which invoice is it about, and what is the number?", "It is the one of last month, the larger of the two. The number is PO-4{n}7{n}.",
            "a corrected invoice with your order number is in your mailbox. Please ignore the earlier one."),
        case("New billing address", "we have moved. Please use our new address on all invoices from next month on. Is this the right place to send it to?",
            "yes, you are right here. Please send it as it should be printed.", "It is in the attachment, together with the extract from the register.",
            "the address is changed in our system and is used from the next invoice on."),
        case("Paid twice by mistake", "it seems that we have paid your last invoice twice. Could you check, and set it off against the next one?",
            "I will look it up. On which day was the second payment?", "It went out on the {n}th. I have attached the bank statement.",
            "you are right, we have received it twice. We will set it off against the next invoice."),
        case("Invoices as e-invoices", "from January on we can only accept e-invoices in a structured format. Can you deliver that?",
            "yes, we can. Which format does your software read?", "XML by mail is fine, to the same address as before.",
            "your account is switched over. The next invoice comes as XML, with a PDF to look at."),
    ] },
    Topic { name: "content change", weight: 14, unit: MARKETING, priorities: [40, 50, 9, 1], cases: &[
        case("Please change opening hours", "from the first of the month we open at {n} o'clock on Saturdays. Could you change that on the website, also in the footer?",
            "gladly. Does it hold for all locations?", "Only for the main one, the others stay as they are.",
            "changed on the page, in the footer and in the map listing."),
        case("New team photos for the about page", "we have new photos of the team. Where should I upload them? {n} persons have changed.",
            "you can send files of any size by the upload link below.", "Uploaded. Please keep the order of the names.",
            "the new photos are online, cut to the same size. Please have a look and tell me if anything should be different."),
        case("Typo on the home page", "there is a typo in the second headline on the home page. It would be nice to have it corrected before our newsletter goes out.",
            "it is on today's list. When does the newsletter go out?", "Tomorrow at eight.",
            "corrected. I have read through the rest of the page too and fixed a double space."),
        case("Job advert online", "we are looking for {n} apprentices. Please put the attached advert on the careers page.",
            "with pleasure. Until when should it stay online?", "Until the end of next month, please.",
            "it is online and goes offline by itself at the end of next month. I have added the fields that job boards look for."),
        case("Price list out of date", "the price list in the download area is from last year. The new one is attached.",
            "thank you. Should the old one stay available to registered customers?", "No, please remove it everywhere.",
            "the new list is online under the same address, and the old one is gone, from the search results too."),
    ] },
    Topic { name: "e-mail", weight: 10, unit: SUPPORT, priorities: [5, 45, 40, 10], cases: &[
        case("Mails end up in spam", "our offers land in the spam folder of at least {n} customers. It must have started with the new mail server. What can we do?",
            "could you forward one of those mails as an attachment? The headers tell us why.", "Forwarded, it is the one from yesterday afternoon.",
            "the record for the new server was missing in your domain. It is added; it takes up to a day until all providers have seen it."),
        case("Mailbox full", "the mailbox of our reception is full, although we delete regularly. Can you make it larger?",
            "I am checking it. Which folders may be archived?", "Everything that is older than two years.",
            "old mail is in the archive now, which you find below the inbox. The mailbox has {n} GB free again."),
        case("Set up shared mailbox", "we need a shared mailbox for the purchasing team, {n} persons, with sending rights.",
            "no problem. Please send me the names and the address that you would like.", "The list is in the attachment. The address should be purchasing@.",
            "the mailbox is set up for all {n}. It appears in Outlook after a restart."),
        case("Out of office for a former colleague", "{other} has left us. Mails to that address should be answered automatically and forwarded to me.",
            "I can set that up. Until when should mails be forwarded?", "Half a year will do.",
            "done: senders get a short answer with your address, and the mails come to you for six months."),
    ] },
    Topic { name: "data", weight: 9, unit: ENGINEERING, priorities: [15, 55, 25, 5], cases: &[
        case("Figures in the dashboard differ from the ERP", "the revenue of last month in the dashboard is about {n} % lower than in our ERP. Which of the two is right?",
            "I am comparing both sources. Is the month closed in the ERP?", "Yes, since Tuesday, so it should not move any more.",
            "credit notes were counted twice in the dashboard. The query is corrected, and both figures agree to the cent."),
        case("Export of customer list", "for a mailing we need an export of all customers with orders in the last {n} months, as a CSV file.",
            "yes, that can be done. Which columns do you need?", "Name, mail, city and the date of the last order, please.",
            "the file is in your download area. Those who objected to mailings are left out."),
        case("Duplicate contacts in the CRM", "since the import we have many contacts twice, I counted {n}0 in the first pages alone. Can these be merged?",
            "they can. Which of the two should win if a phone number differs?", "The newer one. And please keep the notes of both.",
            "the duplicates are merged with all notes. From now on the import compares mail addresses first."),
        case("Nightly import failed", "we got the mail that the nightly import has failed. Does anything have to be done on our side?",
            "I am looking at the log. Has anything been changed in the ERP yesterday?", "The stock table got {n} new columns, as far as I know.",
            "that was it: a column had been renamed at the same time. The import knows both names now and has run through."),
    ] },
    Topic { name: "shop order", weight: 9, unit: ENGINEERING, priorities: [3, 27, 50, 20], cases: &[
        case("Orders do not arrive in the ERP", "since yesterday evening no orders from the shop arrive in our ERP. There must be around {n}0 by now.",
            "I see the queue standing still and am checking the interface.", "The last order that came through was at about 7 pm.",
            "the password of the interface user had expired. It is renewed and set not to expire; all orders have been sent on."),
        case("Voucher code not accepted", "the voucher code of our newsletter is refused at the checkout. We have sent it to all subscribers this morning!",
            "I have placed a test order and can reproduce it. Which products is the code meant for?", "For everything except gift cards.",
            "the code had a start date of tomorrow. It is good from now on, and I have checked it with two products and a gift card."),
        case("Wrong shipping costs", "customers from the islands are charged standard shipping. It should be {n} more for those postal codes.",
            "since when do you see this?", "Probably since the update of the price lists.",
            "the update had dropped the rule for these postal codes. It is back in place, and the list of orders in between is attached."),
        case("Refund does not show", "I have refunded an order in the back office {n} days ago, but the customer has not received anything.",
            "I am looking it up with the payment provider. Was it paid by card?", "No, by invoice and then bank transfer.",
            "for transfers the refund has to be released by accounting first; it was waiting there. It went out just now."),
    ] },
    Topic { name: "design", weight: 6, unit: DESIGN, priorities: [40, 50, 9, 1], cases: &[
        case("Logo in another format", "our printer needs the logo as a vector file with {n} mm of bleed. Do you have that?",
            "sure, I am looking it up in the brand folder. Coated or uncoated paper?", "Uncoated. PDF would be best.",
            "the files are in your brand folder, as PDF and SVG, with a note for the printer."),
        case("Banner for the trade show", "we have a stand at a trade show in {n} weeks and need a banner of 2 x 1 metres. Could you send an offer?",
            "with pleasure. Is there a motif already?", "Please use the same motif as on the brochure.",
            "the estimate is on its way. Print-ready files would be there five working days after your order."),
        case("Presentation template broken", "in the new presentation template the page numbers are missing on some layouts.",
            "which version of PowerPoint do you use?", "The current one, on Windows and on Macs.",
            "repaired on {n} layouts, please use version 1.{n} of the template."),
    ] },
    Topic { name: "training", weight: 6, unit: CONSULTING, priorities: [45, 50, 5, 0], cases: &[
        case("Training for new colleagues", "we have {n} new colleagues in sales who need an introduction to the CRM. When could you come by?",
            "nice to hear that the team is growing. Would one of the next two weeks suit you?", "Next week Thursday would be ideal, from 10 am.",
            "the date is fixed, the invitation is in your calendars. Half a day will do for {n} persons."),
        case("How do I build a report?", "I would like a list of all open quotes older than {n}0 days. Is there a guide?",
            "there is, and I can show you in ten minutes by video.", "A video call is fine, I am free this afternoon.",
            "as discussed: the report is saved as \"Open quotes\" and comes by mail each Monday."),
        case("Question about roles", "who may delete contacts in our system? We would like to limit that to {n} persons.",
            "at the moment everybody with the role \"editor\" may. I am sending you the list.", "Thank you. Only the {n} marked names should keep that right.",
            "the role \"editor\" may not delete any more, only the {n} administrators may."),
    ] },
    Topic { name: "security", weight: 5, unit: SUPPORT, priorities: [5, 30, 40, 25], cases: &[
        case("Suspicious mail", "{n} colleagues got a mail that seems to come from our managing director and asks for gift cards. Is our mail hacked?",
            "please do not click on anything in it. Could you forward it as an attachment?", "Forwarded. Nobody has clicked as far as we know.",
            "the sender was forged; your own accounts are clean. We have tightened the filter and blocked the domain."),
        case("Two-factor log-in for everybody", "our insurance asks for two-factor log-in. What has to be done for {n}0 users?",
            "good idea. I have attached our plan for the roll-out.", "The plan looks good, please start with the administrators.",
            "all users are enrolled, the last two yesterday. The short guide is in the help centre."),
        case("Old employee still has access", "{other}, who left {n} weeks ago, is still listed as a user. Please remove all access.",
            "I am on it. Should the mailbox be kept?", "Yes, for us to read. Please also check the shared folders.",
            "all access is removed, shared passwords are changed, and the log shows no use after the last day."),
    ] },
    Topic { name: "app", weight: 5, unit: ENGINEERING, priorities: [10, 50, 30, 10], cases: &[
        case("App crashes on start", "after the update the app closes right after the start on {n} of our phones. The others are fine.",
            "which phone models and system versions are these?", "Android 13, all of the same make.",
            "found: these phones lack a font that the new version expected. Fixed in version 2.{n}, which the stores show as of today."),
        case("Push notifications missing", "drivers do not get notifications about new tours any more. We have had {n} missed tours this week.",
            "I can see the deliveries failing in the log. Is it on Android, iPhone or both?", "Both.",
            "the key of the notification service had run out. It is renewed, notifications arrive again."),
        case("Offline photos are lost", "photos taken without network do not show up later. It happened {n} times to two colleagues.",
            "where were they taken, and was the app closed afterwards?", "In the basement car park, and yes, the phones were put away at once.",
            "photos are now kept until they have been sent. The {n} that were still on the phones have been recovered."),
    ] },
];

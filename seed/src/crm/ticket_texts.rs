//! What clients write to support, and what they are answered: by topic, with slots for names and numbers.

use super::people::{CONSULTING, DESIGN, ENGINEERING, FINANCE, MARKETING, SUPPORT};

/// A topic: everything said under it fits together.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) weight: u32,
    /// Department that answers.
    pub(super) unit: usize,
    /// Weights of the priorities from low to urgent.
    pub(super) priorities: [u32; 4],
    /// Subject and first message, which belong together.
    pub(super) openings: &'static [(&'static str, &'static str)],
    /// First answer: a question or a promise.
    pub(super) answers: &'static [&'static str],
    /// What the client says to that.
    pub(super) details: &'static [&'static str],
    /// The solution.
    pub(super) solutions: &'static [&'static str],
}

/// What a client says at the end.
#[rustfmt::skip]
pub(super) const THANKS: &[&str] = &[
    "Works now, thank you!",
    "Perfect, that was quick.",
    "Thanks {staff}, all good on our side.",
    "Confirmed, you can close this one.",
    "Great, many thanks for the help.",
    "Yes, that did it. Have a nice weekend!",
    "Thank you, I have passed it on to the team.",
];

/// What a client says when the solution did not work.
#[rustfmt::skip]
pub(super) const NOT_YET: &[&str] = &[
    "Unfortunately it is still the same for two of my colleagues.", "Better, but not quite: it came back this morning.",
    "I tried that and see no difference. Could you have another look?",
];

/// What we answer to that.
#[rustfmt::skip]
pub(super) const AGAIN: &[&str] = &[
    "Sorry about that, {name}. I have taken a second look and found one more setting that had been left out. Please try once more.",
    "Thanks for testing. The change had not reached all servers; it has now.",
    "I have asked a colleague to join in. We found the rest of it and corrected it.",
];

/// What colleagues note for each other.
#[rustfmt::skip]
pub(super) const INTERNAL: &[&str] = &[
    "Same as last month, see the history of this client.", "Asked engineering, answer tomorrow.",
    "Key contact is on holiday until Monday, deputy informed.", "Covered by the support plan, no extra charge.",
    "Could become a small project, told the account manager.",
];

#[rustfmt::skip]
pub(super) const TOPICS: &[Topic] = &[
    Topic {
        name: "log-in",
        weight: 14,
        unit: SUPPORT,
        priorities: [10, 50, 30, 10],
        openings: &[
            (
                "Can't log in to the portal",
                "Hello, since this morning I can't log in to the customer portal. It says that my password is wrong, but I am sure that it is right. Could you help?",
            ),
            (
                "Password reset mail does not arrive",
                "Hi, I have asked for a new password three times now and get no mail, not even in the spam folder. Best regards, {name}",
            ),
            (
                "New colleague needs access",
                "Good morning, {other} has joined our team and needs the same access as I have. Could you set that up, please?",
            ),
            (
                "Account locked after update",
                "My account is locked since the update on the weekend. I need the invoices of last month today, if possible.",
            ),
        ],
        answers: &[
            "Hi {name}, thanks for writing in. Which browser do you use, and did it work on this computer before?",
            "Hello {name}, I am looking into it. Could you tell me the address that you log in with?",
            "Good morning {name}, I will check your account right away.",
        ],
        details: &[
            "Chrome on Windows, and yes, it worked on Friday.", "It is my usual business address, the one I write from.",
            "Edge. A colleague next to me has no problem.",
        ],
        solutions: &[
            "Your account had been locked after too many attempts. I have unlocked it and sent you a link for a new password, good for 24 hours.",
            "The mails were held back by your company's filter. We have switched to another sender; the reset mail should be in your inbox now.",
            "Done: access is set up, and the invitation is on its way.",
        ],
    },
    Topic {
        name: "website down",
        weight: 9,
        unit: ENGINEERING,
        priorities: [0, 5, 35, 60],
        openings: &[
            (
                "Website not reachable",
                "Our website shows only an error page (502) for about {n} minutes. Customers are calling already. Please help quickly!",
            ),
            (
                "Shop very slow today",
                "The shop takes more than {n} seconds to open a product page. Yesterday everything was fine. Is there a known problem?",
            ),
            (
                "Certificate warning on our domain",
                "Visitors get a warning that the connection is not private. I think that the certificate has run out.",
            ),
        ],
        answers: &[
            "Hi {name}, we see it too and are on it. Next update in 30 minutes.",
            "Thanks for the alert, {name}. The on-call engineer is looking at the server right now.",
        ],
        details: &[
            "Thank you. Please call me on my mobile if you need anything.",
            "It comes and goes: at the moment it works for me, but not for my colleague.",
        ],
        solutions: &[
            "The server had run out of disk space because of a log file. Space is freed, the log is limited now, and an alarm is set at 80 %.",
            "An import had blocked the database. It is stopped, and will run at night from now on.",
            "The certificate has been renewed, and we corrected the automatic renewal. No warning any more on our side.",
        ],
    },
    Topic {
        name: "invoice",
        weight: 13,
        unit: FINANCE,
        priorities: [25, 60, 13, 2],
        openings: &[
            (
                "Question about our last invoice",
                "Hello, could you explain the line \"additional development\" on our last invoice? We expected {n} hours less. Kind regards, {name}",
            ),
            (
                "Purchase order number missing",
                "Our accounting can only pay invoices that show the purchase order number. Please send a corrected one. The number is PO-{n}7{n}.",
            ),
            (
                "New billing address",
                "We have moved. Please use our new address on all invoices from next month on. I will send it in the reply if you confirm that this is the right place.",
            ),
            (
                "Paid twice by mistake",
                "It seems that we have paid your last invoice twice. Could you check, and set it off against the next one?",
            ),
        ],
        answers: &[
            "Hello {name}, thanks for asking. I am checking it with the project manager and will come back to you today.",
            "Hi {name}, sure. Which invoice number is it about?",
            "Good morning {name}, yes, you are right here.",
        ],
        details: &[
            "It is the one of last month, the larger of the two.",
            "Thank you. No hurry, but before the end of the month would be good.", "I have attached the bank statement.",
        ],
        solutions: &[
            "The list of hours is attached. The additional work was agreed on in the call at the beginning of the month; I have added the note of that call.",
            "A corrected invoice with your order number is in your mailbox. Please ignore the earlier one.",
            "We have changed the address in our system; it is used from the next invoice on.",
            "You are right, we have received it twice. We will set it off against the next invoice.",
        ],
    },
    Topic {
        name: "content change",
        weight: 14,
        unit: MARKETING,
        priorities: [40, 50, 9, 1],
        openings: &[
            (
                "Please change opening hours",
                "Hi, from the first of the month we open at {n} o'clock on Saturdays. Could you change that on the website, also in the footer?",
            ),
            (
                "New team photo for the about page",
                "We have new photos of the team. Where should I upload them? {n} persons have changed.",
            ),
            (
                "Typo on the home page",
                "There is a typo in the second headline on the home page. It would be nice to have it corrected before our newsletter goes out.",
            ),
            ("Job advert online", "We are looking for {n} apprentices. Please put the attached advert on the careers page."),
        ],
        answers: &[
            "Hi {name}, gladly. Do the new texts exist in all languages?",
            "Hello {name}, thank you. You can send files of any size by the upload link below your signature.",
            "Thanks {name}, it is on today's list.",
        ],
        details: &[
            "Only in English so far, the rest follows next week.", "Uploaded. Please keep the order of the names.",
            "Yes, as attached.",
        ],
        solutions: &[
            "It is online. Please have a look and tell me if anything should be different.",
            "Changed on the page, in the footer and in the map listing.",
            "Corrected. I have read through the rest of the page too and fixed a double space.",
        ],
    },
    Topic {
        name: "e-mail",
        weight: 10,
        unit: SUPPORT,
        priorities: [5, 45, 40, 10],
        openings: &[
            (
                "Mails end up in spam",
                "Our offers land in the spam folder of at least {n} customers. It must have started with the new mail server. What can we do?",
            ),
            ("Mailbox full", "The mailbox of our reception is full, although we delete regularly. Can you make it larger?"),
            ("Set up shared mailbox", "We need a shared mailbox for the purchasing team, {n} persons, with sending rights."),
        ],
        answers: &[
            "Hi {name}, could you forward one of those mails as an attachment? The headers tell us why.",
            "Hello {name}, I am checking the mailbox. Which folders may be archived?",
            "Hi {name}, no problem. Please send me the names.",
        ],
        details: &[
            "Forwarded, it is the one from yesterday afternoon.", "Everything that is older than two years.",
            "The list is in the attachment.",
        ],
        solutions: &[
            "The record for the new server was missing in your domain. It is added; it takes up to a day until all providers have seen it.",
            "Old mail is in the archive now, which you find below the inbox. The mailbox has 12 GB free again.",
            "The mailbox is set up and appears in Outlook after a restart.",
        ],
    },
    Topic {
        name: "data",
        weight: 9,
        unit: ENGINEERING,
        priorities: [15, 55, 25, 5],
        openings: &[
            (
                "Figures in the dashboard differ from the ERP",
                "The revenue of last month in the dashboard is about {n} % lower than in our ERP. Which of the two is right?",
            ),
            (
                "Export of customer list",
                "For a mailing we need an export of all customers with orders in the last {n} months, as a CSV file.",
            ),
            (
                "Duplicate contacts in the CRM",
                "Since the import we have many contacts twice, I counted {n}0 in the first pages alone. Can these be merged?",
            ),
            (
                "Nightly import failed",
                "We got the mail that the nightly import has failed. Does anything have to be done on our side?",
            ),
        ],
        answers: &[
            "Hi {name}, thanks for the details. I compare both sources for that month.",
            "Hello {name}, yes, that can be done. Which columns do you need?",
            "Hi {name}, I am looking at the log.",
        ],
        details: &[
            "Name, mail, city and the date of the last order, please.",
            "The month is closed in the ERP, so it should not move any more.",
            "Nothing has been changed on our side as far as I know.",
        ],
        solutions: &[
            "Credit notes were counted twice in the dashboard. The query is corrected, and both figures agree to the cent.",
            "The file is in your download area. Those who objected to mailings are left out.",
            "The duplicates are merged; the longer history was kept. From now on the import compares mail addresses first.",
            "A column had been renamed in your ERP. The import knows both names now and has run through.",
        ],
    },
    Topic {
        name: "shop order",
        weight: 9,
        unit: ENGINEERING,
        priorities: [3, 27, 50, 20],
        openings: &[
            (
                "Orders do not arrive in the ERP",
                "Since yesterday evening no orders from the shop arrive in our ERP. There must be around {n}0 by now.",
            ),
            (
                "Voucher code not accepted",
                "The voucher code of our newsletter is refused at the checkout. We have sent it to all subscribers this morning!",
            ),
            (
                "Wrong shipping costs",
                "Customers from the islands are charged standard shipping. It should be {n} more for those postal codes.",
            ),
        ],
        answers: &[
            "Hi {name}, I see the queue standing still and am checking the interface.",
            "Hello {name}, I have placed a test order and can reproduce it.",
            "Thanks {name}. Since when do you see this?",
        ],
        details: &[
            "The last order that came through was at about 7 pm.", "It worked in our test last week.",
            "Probably since the update of the price lists.",
        ],
        solutions: &[
            "The password of the interface user had expired. It is renewed and set not to expire; all orders have been sent on.",
            "The code had a start date of tomorrow. It is good from now on, and I have checked it with two products.",
            "The rule for these postal codes is back in place. We will refund the few orders in between if you agree.",
        ],
    },
    Topic {
        name: "design",
        weight: 6,
        unit: DESIGN,
        priorities: [40, 50, 9, 1],
        openings: &[
            ("Logo in another format", "Our printer needs the logo as a vector file with {n} mm of bleed. Do you have that?"),
            (
                "Banner for the trade show",
                "We have a stand at a trade show in {n} weeks and need a banner of 2 x 1 metres. Could you send an offer?",
            ),
            ("Presentation template broken", "In the new presentation template the page numbers are missing on some layouts."),
        ],
        answers: &[
            "Hi {name}, sure, I will look it up in the brand folder.",
            "Hello {name}, with pleasure. Is there a motif already?",
            "Hi {name}, which version of PowerPoint do you use?",
        ],
        details: &[
            "Please use the same motif as on the brochure.", "The current one, on Windows and on Macs.", "PDF would be best.",
        ],
        solutions: &[
            "The files are in your brand folder, as PDF and SVG, with a note for the printer.",
            "The estimate is on its way. Print-ready files would be there five working days after your order.",
            "Repaired, please use version 1.2 of the template.",
        ],
    },
    Topic {
        name: "training",
        weight: 6,
        unit: CONSULTING,
        priorities: [45, 50, 5, 0],
        openings: &[
            (
                "Training for new colleagues",
                "We have {n} new colleagues in sales who need an introduction to the CRM. When could you come by?",
            ),
            ("How do I build a report?", "I would like a list of all open quotes older than {n} days. Is there a guide?"),
            ("Question about roles", "Who may delete contacts in our system? We would like to limit that to {n} persons."),
        ],
        answers: &[
            "Hi {name}, nice to hear that the team is growing. Would one of the next two weeks suit you?",
            "Hello {name}, there is, and I can show you in ten minutes by video.",
            "Hi {name}, I will send you the list of roles.",
        ],
        details: &[
            "Next week Thursday would be ideal, from 10 am.", "A video call is fine, I am free this afternoon.",
            "Thank you, then we decide on the names.",
        ],
        solutions: &[
            "The date is fixed, the invitation is in your calendars. Half a day will do.",
            "As discussed: the report is saved as \"Open quotes\" and comes by mail each Monday.",
            "The role \"editor\" may not delete any more, only the two administrators may.",
        ],
    },
    Topic {
        name: "security",
        weight: 5,
        unit: SUPPORT,
        priorities: [5, 30, 40, 25],
        openings: &[
            (
                "Suspicious mail",
                "{n} colleagues got a mail that seems to come from our managing director and asks for gift cards. Is our mail hacked?",
            ),
            ("Two-factor log-in for everybody", "Our insurance asks for two-factor log-in. What has to be done for {n}0 users?"),
            (
                "Old employee still has access",
                "A colleague who left {n} weeks ago is still listed as a user. Please remove all access.",
            ),
        ],
        answers: &[
            "Hi {name}, please do not click on anything in it. Could you forward it as an attachment?",
            "Hello {name}, good idea. I will send you our plan for the roll-out.",
            "Thanks {name}, I am on it.",
        ],
        details: &[
            "Forwarded. Nobody has clicked as far as we know.", "The plan looks good, please start with the administrators.",
            "Please also check the shared folders.",
        ],
        solutions: &[
            "The sender was forged; your own accounts are clean. We have tightened the filter and blocked the domain.",
            "All users are enrolled, the last two yesterday. The short guide is in the help centre.",
            "All access is removed, shared passwords are changed, and the log shows no use after the last day.",
        ],
    },
    Topic {
        name: "app",
        weight: 5,
        unit: ENGINEERING,
        priorities: [10, 50, 30, 10],
        openings: &[
            (
                "App crashes on start",
                "After the update the app closes right after the start on {n} of our phones. The others are fine.",
            ),
            (
                "Push notifications missing",
                "Drivers do not get notifications about new tours any more. We have had {n} missed tours this week.",
            ),
            (
                "Offline photos are lost",
                "Photos taken without network do not show up later. It happened {n} times to two colleagues.",
            ),
        ],
        answers: &[
            "Hi {name}, thanks. Which phone models and system versions are these?",
            "Hello {name}, I can see the deliveries failing in the log and am looking for the reason.",
        ],
        details: &["Android 13, all of the same make.", "Android and iPhone, both.", "It was in the basement car park each time."],
        solutions: &[
            "Fixed in version 2.{n}, which the stores show as of today.",
            "The key of the notification service had run out. It is renewed, notifications arrive again.",
            "Photos are now kept until they have been sent. The three that were still on the phones have been recovered.",
        ],
    },
];

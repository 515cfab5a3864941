//! What the company sells: ten services with the stages, tasks and prices of the projects that deliver them.

/// A service.
#[derive(Debug)]
pub struct Service {
    /// Label of its projects and leads.
    pub tag: &'static str,
    /// Names that its projects may have.
    pub projects: &'static [&'static str],
    /// What a project is to reach, where `{client}` is the client's name.
    pub goal: &'static str,
    /// Working time of an ordinary project, in days of the calendar.
    pub days: i32,
    /// Stages in order.
    pub stages: &'static [Stage],
    /// Lines of its estimates.
    pub prices: &'static [Price],
}

/// A stage of a project.
#[derive(Debug)]
pub struct Stage {
    /// Name.
    pub name: &'static str,
    /// What is there at its end.
    pub result: &'static str,
    /// Its tasks.
    pub tasks: &'static [&'static str],
}

/// A line of an estimate for a project of ordinary size.
#[derive(Debug)]
pub struct Price {
    /// What is offered.
    pub text: &'static str,
    /// Hours of work; 0 for a lump sum.
    pub hours: i64,
    /// Price of an hour, or the lump sum, in whole units of the base currency.
    pub rate: i64,
}

const fn stage(name: &'static str, result: &'static str, tasks: &'static [&'static str]) -> Stage {
    Stage {
        name,
        result,
        tasks,
    }
}

const fn hours(text: &'static str, hours: i64, rate: i64) -> Price {
    Price { text, hours, rate }
}

const fn sum(text: &'static str, rate: i64) -> Price {
    Price {
        text,
        hours: 0,
        rate,
    }
}

/// The services, with how often each is sold.
#[rustfmt::skip]
pub const SERVICES: &[(u32, Service)] = &[
    (
        18,
        Service {
            tag: "website",
            days: 90,
            projects: &[
                "Website redesign", "Website relaunch", "Careers site", "Product catalogue site", "Multilingual website",
                "Corporate site refresh",
            ],
            goal: "Replace the ageing website of {client} by one that loads fast, can be edited by the marketing team and brings in enquiries.",
            stages: &[
                stage(
                    "Discovery",
                    "Signed-off brief and site map",
                    &[
                        "Stakeholder interviews", "Content audit of the current site", "Analytics review and goals",
                        "Site map and page types", "Competitor benchmark",
                    ],
                ),
                stage(
                    "Design",
                    "Approved designs for all page types",
                    &[
                        "Wireframes for key pages", "Visual direction, two routes", "Home page design",
                        "Design of inner page templates", "Mobile layouts", "Accessibility review of the designs",
                    ],
                ),
                stage(
                    "Build",
                    "Site complete on the staging server",
                    &[
                        "Set up repository and staging", "Build page templates", "Content editor set-up",
                        "Contact and enquiry forms", "Migrate existing content", "Search and filters",
                        "Cookie banner and consent",
                    ],
                ),
                stage(
                    "Launch",
                    "Site live, editors trained",
                    &[
                        "Cross-browser testing", "Redirect map for old addresses", "Editor training session",
                        "Performance tuning", "Go-live and DNS switch", "Post-launch fixes",
                    ],
                ),
            ],
            prices: &[
                hours("Discovery and concept", 24, 130), hours("UX and visual design", 60, 120),
                hours("Front-end and template development", 90, 125), hours("Content migration", 24, 85),
                hours("Testing and launch", 20, 115), sum("Editor training, half a day", 650),
            ],
        },
    ),
    (
        12,
        Service {
            tag: "e-commerce",
            days: 120,
            projects: &[
                "Online shop", "B2B ordering portal", "Checkout optimisation", "Shop migration", "Subscription shop",
                "Click and collect",
            ],
            goal: "Give {client} a shop whose stock, prices and orders agree with the ERP, and a checkout that people finish.",
            stages: &[
                stage(
                    "Concept",
                    "Agreed scope and data model",
                    &[
                        "Requirements workshop", "Product data model", "Payment and shipping rules", "Tax and invoicing rules",
                        "ERP interface specification",
                    ],
                ),
                stage(
                    "Storefront",
                    "Clickable shop on staging",
                    &[
                        "Category and product page design", "Product page build", "Search with facets",
                        "Basket and checkout flow", "Customer account area", "Promotion and voucher rules",
                    ],
                ),
                stage(
                    "Integration",
                    "Orders flow into the ERP and back",
                    &[
                        "Connect payment provider", "Stock synchronisation", "Order export to ERP", "Shipping label interface",
                        "Transactional mail templates",
                    ],
                ),
                stage(
                    "Roll-out",
                    "Shop live with full range",
                    &[
                        "Load test of the checkout", "Product import of full range", "Acceptance test with client", "Go-live",
                        "Conversion tracking", "Hypercare week",
                    ],
                ),
            ],
            prices: &[
                hours("Concept and data model", 32, 135), hours("Storefront design", 56, 120),
                hours("Shop development", 140, 125), hours("ERP and payment integration", 80, 140),
                hours("Testing and go-live", 36, 115), sum("Shop platform licence, first year", 2400),
            ],
        },
    ),
    (
        14,
        Service {
            tag: "crm",
            days: 100,
            projects: &[
                "CRM rollout", "Sales pipeline set-up", "CRM data clean-up", "Field service app roll-out",
                "Quote-to-cash automation", "CRM migration",
            ],
            goal: "One place for every contact, deal and ticket of {client}, used daily by sales and service.",
            stages: &[
                stage(
                    "Analysis",
                    "Process map and field list",
                    &[
                        "Interviews with the sales team", "Map the sales process", "Inventory of data sources",
                        "Roles and permissions matrix",
                    ],
                ),
                stage(
                    "Configuration",
                    "Configured test system",
                    &[
                        "Pipeline stages and fields", "Quote and document templates", "Mail and calendar sync",
                        "Dashboards for team leads", "Lead assignment rules", "Approval workflow for discounts",
                    ],
                ),
                stage(
                    "Data",
                    "Clean data in the new system",
                    &[
                        "De-duplicate company records", "Contact import, dry run", "Contact import, final", "Open deals import",
                        "Check of imported data with key users",
                    ],
                ),
                stage(
                    "Adoption",
                    "All teams work in the CRM",
                    &[
                        "Key user training", "Training for all sales staff", "Quick reference cards", "Go-live support on site",
                        "Review after four weeks",
                    ],
                ),
            ],
            prices: &[
                hours("Process analysis", 28, 140), hours("Configuration and automation", 70, 130),
                hours("Data clean-up and import", 40, 110), hours("Integration with mail and ERP", 36, 140),
                sum("Training package, two days", 2600), hours("Go-live support", 16, 125),
            ],
        },
    ),
    (
        10,
        Service {
            tag: "mobile",
            days: 150,
            projects: &["Mobile app MVP", "Driver app", "Booking app", "Loyalty app", "App redesign", "Inspection app"],
            goal: "An app for iOS and Android that lets customers and staff of {client} do on the road what they do at a desk today.",
            stages: &[
                stage(
                    "Product definition",
                    "Backlog and clickable prototype",
                    &[
                        "User interviews", "Story map and MVP scope", "Clickable prototype", "Prototype test with eight users",
                        "Technical architecture",
                    ],
                ),
                stage(
                    "Foundation",
                    "Walking skeleton in both stores' test tracks",
                    &[
                        "App skeleton and navigation", "Log-in and password reset", "API for the app", "Push notifications",
                        "Build pipeline for both stores",
                    ],
                ),
                stage(
                    "Features",
                    "All MVP features in the beta",
                    &[
                        "Main list and detail screens", "Offline mode", "Camera and document upload", "Map and location",
                        "Settings and profile", "In-app feedback",
                    ],
                ),
                stage(
                    "Release",
                    "App in both stores",
                    &[
                        "Closed beta", "Crash and analytics reporting", "Store listings and screenshots", "Privacy labels",
                        "Store submission", "Release 1.0.1 fixes",
                    ],
                ),
            ],
            prices: &[
                hours("Product definition and prototype", 60, 135), hours("App development", 220, 130),
                hours("Back-end and API", 110, 135), hours("Quality assurance on devices", 48, 100),
                sum("Store set-up and submission", 1200), hours("Project management", 40, 120),
            ],
        },
    ),
    (
        9,
        Service {
            tag: "brand",
            days: 70,
            projects: &[
                "Brand refresh", "Corporate design", "Packaging design", "Trade show booth", "Annual report", "Brand guidelines",
            ],
            goal: "Make {client} recognisable on every touchpoint, from the van to the invoice.",
            stages: &[
                stage(
                    "Positioning",
                    "Agreed brand platform",
                    &["Brand workshop", "Customer interviews", "Positioning statement", "Tone of voice"],
                ),
                stage(
                    "Identity",
                    "Approved logo, colours and type",
                    &["Mood boards", "Logo sketches", "Logo refinement", "Colour and type system", "Icon set"],
                ),
                stage(
                    "Application",
                    "Print-ready files and guidelines",
                    &[
                        "Stationery and e-mail signature", "Presentation template", "Vehicle lettering",
                        "Brand guidelines document", "Hand-over of print files",
                    ],
                ),
            ],
            prices: &[
                hours("Brand workshop and positioning", 20, 145), hours("Identity design", 64, 125),
                hours("Application and templates", 40, 110), sum("Brand guidelines, print and PDF", 1800),
            ],
        },
    ),
    (
        10,
        Service {
            tag: "data",
            days: 80,
            projects: &[
                "Management dashboard", "Data warehouse", "Sales reporting", "Stock forecasting", "Customer churn analysis",
                "KPI reporting automation",
            ],
            goal: "Figures that everybody at {client} trusts, every Monday at eight, without anybody copying cells.",
            stages: &[
                stage(
                    "Scoping",
                    "List of figures and their owners",
                    &["KPI workshop", "Inventory of source systems", "Data quality check", "Definition of terms"],
                ),
                stage(
                    "Pipeline",
                    "Nightly load running",
                    &[
                        "Connect ERP database", "Connect shop and ads accounts", "Data model for sales",
                        "Nightly load with alerts", "Reconcile against bookkeeping",
                    ],
                ),
                stage(
                    "Dashboards",
                    "Dashboards in daily use",
                    &[
                        "Dashboard for management", "Dashboard for sales", "Row-level permissions",
                        "Mail subscription of reports", "Training for report authors",
                    ],
                ),
            ],
            prices: &[
                hours("KPI workshop and data check", 24, 145), hours("Data model and pipelines", 80, 140),
                hours("Dashboards", 48, 125), hours("Training and documentation", 12, 115), sum("Reporting tool, set-up", 900),
            ],
        },
    ),
    (
        9,
        Service {
            tag: "cloud",
            days: 75,
            projects: &[
                "Cloud migration", "Backup and recovery", "Office move of the IT", "Workplace modernisation",
                "Server consolidation", "Single sign-on",
            ],
            goal: "Move what {client} runs in the cellar to where it is patched, backed up and reachable from anywhere.",
            stages: &[
                stage(
                    "Assessment",
                    "Inventory and migration plan",
                    &[
                        "Server and licence inventory", "Network and bandwidth check", "Cost model",
                        "Migration waves and fallback plan",
                    ],
                ),
                stage(
                    "Landing zone",
                    "Secured target environment",
                    &[
                        "Identity and access design", "Network and VPN set-up", "Backup policy", "Monitoring and alerting",
                        "Cost alerts",
                    ],
                ),
                stage(
                    "Migration",
                    "All systems moved",
                    &[
                        "Pilot: file server", "Mailbox migration", "ERP server migration", "User devices enrolment",
                        "Shut down old servers", "Recovery drill",
                    ],
                ),
            ],
            prices: &[
                hours("Assessment and plan", 30, 140), hours("Environment set-up", 48, 140), hours("Migration", 80, 130),
                hours("User support in the migration weeks", 24, 95), sum("Recovery drill with report", 1500),
            ],
        },
    ),
    (
        8,
        Service {
            tag: "marketing",
            days: 110,
            projects: &[
                "SEO programme", "Paid search set-up", "Content campaign", "Local search roll-out", "Newsletter relaunch",
                "Lead generation campaign",
            ],
            goal: "More of the right people find {client}, at a cost per enquiry that stays below the target.",
            stages: &[
                stage(
                    "Audit",
                    "Findings and plan",
                    &["Technical SEO audit", "Keyword research", "Tracking and consent check", "Competitor ad review"],
                ),
                stage(
                    "Set-up",
                    "Campaigns and tracking live",
                    &[
                        "Conversion tracking", "Campaign structure and ads", "Landing page, first version",
                        "Local listings clean-up", "Editorial calendar",
                    ],
                ),
                stage(
                    "Optimisation",
                    "Target cost per lead reached",
                    &[
                        "Landing page A/B test", "Monthly report and call", "Write four articles", "Negative keyword review",
                        "Newsletter template and first issue", "Budget reallocation",
                    ],
                ),
            ],
            prices: &[
                hours("Audit and plan", 20, 125), hours("Campaign set-up", 30, 115), hours("Content writing", 36, 90),
                hours("Optimisation and reporting", 40, 115), sum("Landing page", 1400),
            ],
        },
    ),
    (
        7,
        Service {
            tag: "portal",
            days: 130,
            projects: &[
                "Customer portal", "Partner portal", "Employee intranet", "Self-service portal", "Document portal",
                "Booking engine",
            ],
            goal: "Customers of {client} see their orders, papers and tickets themselves, and call less.",
            stages: &[
                stage(
                    "Concept",
                    "Prioritised stories",
                    &["Service blueprint", "Call reasons of the last year", "User stories and priorities", "Security concept"],
                ),
                stage(
                    "Core",
                    "Log-in, documents and profile work",
                    &[
                        "Single sign-on", "Roles for customer companies", "Document library", "Order overview from ERP",
                        "Notification mails",
                    ],
                ),
                stage(
                    "Self-service",
                    "Requests without a phone call",
                    &[
                        "Ticket form with routing", "Returns and complaints", "Invoice download", "Address and contact changes",
                        "Help centre articles", "Chat hand-over",
                    ],
                ),
                stage(
                    "Pilot",
                    "Fifty customers on board",
                    &["Penetration test fixes", "Pilot with ten customers", "Invitation mails", "Usage report", "Roll-out plan"],
                ),
            ],
            prices: &[
                hours("Concept and security", 36, 140), hours("UX and interface design", 48, 120),
                hours("Portal development", 160, 130), hours("Interfaces to ERP and ticketing", 60, 140),
                hours("Pilot and roll-out", 30, 115),
            ],
        },
    ),
    (
        6,
        Service {
            tag: "security",
            days: 50,
            projects: &[
                "Security audit", "Penetration test", "Phishing awareness campaign", "Data protection audit",
                "Incident response plan", "Access review",
            ],
            goal: "Find the holes at {client} before others do, and close the worst of them.",
            stages: &[
                stage(
                    "Preparation",
                    "Scope and rules signed",
                    &["Scope and rules of engagement", "Asset list", "Access for the testers"],
                ),
                stage(
                    "Testing",
                    "Findings with severity",
                    &[
                        "External scan", "Web application test", "Internal network test", "Phishing simulation",
                        "Review of cloud settings",
                    ],
                ),
                stage(
                    "Remediation",
                    "Critical findings closed",
                    &[
                        "Report and management summary", "Fix workshop with IT", "Retest of critical findings",
                        "Password and MFA policy", "Staff training",
                    ],
                ),
            ],
            prices: &[
                hours("Preparation and scope", 8, 150), hours("Technical tests", 48, 155),
                hours("Report and presentation", 16, 145), hours("Retest", 10, 150),
                sum("Awareness training, two sessions", 1100),
            ],
        },
    ),
];

/// Index of a service, chosen by how often each is sold.
pub fn choose(dice: &mut crate::dice::Dice) -> usize {
    let mut weights = [0u32; SERVICES.len()];
    for (weight, service) in weights.iter_mut().zip(SERVICES) {
        *weight = service.0;
    }
    dice.weighted(&weights)
}

/// Small things that are billed as they come: text, unit, price of one, usual number.
#[rustfmt::skip]
pub const EXTRAS: &[(&str, &str, i64, i64)] = &[
    ("Domain renewal, one year", "pc", 24, 3), ("Wildcard TLS certificate, one year", "pc", 190, 1),
    ("Stock photo licences", "pc", 29, 6), ("Workshop on site, half a day", "pc", 780, 1),
    ("Additional design work", "h", 120, 6), ("Additional development", "h", 130, 8), ("Copywriting", "h", 90, 5),
    ("Printing and delivery of brochures", "pc", 640, 1), ("Training for new employees", "h", 110, 4),
    ("Emergency support outside office hours", "h", 195, 3), ("Travel and expenses", "pc", 310, 1),
    ("Newsletter, layout and dispatch", "pc", 280, 1), ("Additional user licences, one year", "pc", 96, 5),
    ("Product photography, one day", "pc", 1150, 1), ("Translation into one language", "pc", 540, 1),
];

/// Kinds of running contracts: kind, subject, monthly fee, response in hours.
#[rustfmt::skip]
pub const CONTRACTS: &[(&str, &str, i64, i64)] = &[
    ("support", "Support plan Standard", 290, 8), ("support", "Support plan Premium", 690, 4),
    ("hosting", "Managed hosting", 140, 8), ("hosting", "Managed cloud servers", 480, 4),
    ("marketing", "Search marketing retainer", 950, 24), ("marketing", "Content and newsletter retainer", 620, 24),
    ("maintenance", "Website maintenance", 180, 24), ("maintenance", "Shop maintenance and updates", 420, 8),
    ("licences", "CRM licences and updates", 350, 24), ("consulting", "Consulting day pool", 1150, 24),
    ("security", "Monthly vulnerability scan", 240, 24), ("reporting", "Reporting as a service", 390, 24),
];

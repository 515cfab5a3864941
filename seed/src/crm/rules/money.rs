//! Sums, payments and states of invoices, estimates, credit notes and expenses.

use super::super::ANCHOR;
use super::{Row, table};

/// Net amount and tax of a line, as the database works them out.
fn line(item: Row<'_>) -> (i64, i64) {
    let half_up = |value: i64, by: i64| (value + by / 2) / by;
    let net = half_up(
        item.cents("quantity") * item.cents("rate") * (10_000 - item.cents("discount_percent")),
        1_000_000,
    );
    (net, half_up(net * item.cents("tax_rate"), 10_000))
}

#[test]
fn totals_are_the_sums_of_the_items() {
    for (documents, items, key) in [
        ("invoices", "invoice_items", "invoice_id"),
        ("estimates", "estimate_items", "estimate_id"),
    ] {
        let items = table(items).by(key);
        for document in table(documents).iter() {
            let items = &items[document.text("id")];
            let (net, tax) = items
                .iter()
                .map(|item| line(*item))
                .fold((0, 0), |sum, line| (sum.0 + line.0, sum.1 + line.1));
            assert_eq!(
                (document.cents("subtotal"), document.cents("total_tax")),
                (net, tax),
                "{:?}",
                document.values
            );
            assert_eq!(document.cents("total"), net + tax);
            assert!(net > 0);
            for (index, item) in items.iter().enumerate() {
                assert_eq!(item.text("position"), (index + 1).to_string());
                let tax = item
                    .maybe("tax_id")
                    .map_or(0, |tax| table("taxes").number(tax).cents("rate"));
                assert_eq!(item.cents("tax_rate"), tax);
            }
        }
    }
}

#[test]
fn an_invoice_s_status_follows_from_dates_and_payments() {
    let anchor = ANCHOR.to_string();
    let payments = table("payments").by("invoice_id");
    let mut seen = [0; 7];
    for invoice in table("invoices").iter() {
        let payments = payments
            .get(invoice.text("id"))
            .map_or(&[][..], Vec::as_slice);
        let paid: i64 = payments.iter().map(|payment| payment.cents("amount")).sum();
        let (total, due) = (
            invoice.cents("total"),
            invoice.date("due_date") < anchor.as_str(),
        );
        assert!(paid <= total, "{:?}", invoice.values);
        assert!(invoice.date("date") <= invoice.date("due_date"));
        for payment in payments {
            assert!(
                invoice.date("date") <= payment.date("date")
                    && payment.date("date") < anchor.as_str()
            );
        }
        let status = invoice.text("status");
        let holds = match status {
            "1" => paid == 0 && !due,
            "2" => paid == total,
            "3" => 0 < paid && paid < total && !due,
            "4" => paid < total && due,
            _ => paid == 0,
        };
        assert!(
            holds && (status == "6") == invoice.maybe("sent_at").is_none(),
            "{:?}",
            invoice.values
        );
        seen[status.parse::<usize>().unwrap()] += 1;
    }
    assert!(
        seen[1..].iter().all(|count| *count > 0),
        "a state never occurs: {seen:?}"
    );
}

#[test]
fn an_estimate_s_status_follows_from_its_dates() {
    let anchor = ANCHOR.to_string();
    for estimate in table("estimates").iter() {
        let (sent, decided) = (estimate.maybe("sent_at"), estimate.maybe("decided_at"));
        let expired = estimate.date("expiry_date") < anchor.as_str();
        let holds = match estimate.text("status") {
            "1" => sent.is_none() && decided.is_none(),
            "2" => sent.is_some() && decided.is_none() && !expired,
            "3" => decided >= sent,
            "4" => decided >= sent && estimate.maybe("project_id").is_some(),
            _ => sent.is_some() && decided.is_none() && expired,
        };
        assert!(holds, "{:?}", estimate.values);
    }
}

#[test]
fn a_project_is_billed_for_its_client_and_within_its_budget() {
    let estimates = table("estimates").by("project_id");
    let invoices = table("invoices").by("project_id");
    for project in table("projects").iter() {
        let estimate = estimates.get(project.text("id"));
        assert_eq!(
            project.text("billing_type") == "internal",
            estimate.is_none()
        );
        assert_eq!(
            project.cents("budget"),
            estimate.map_or(0, |estimates| estimates[0].cents("subtotal"))
        );
        let invoices = invoices
            .get(project.text("id"))
            .map_or(&[][..], Vec::as_slice);
        let billed: i64 = invoices
            .iter()
            .map(|invoice| invoice.cents("subtotal"))
            .sum();
        assert!(billed <= project.cents("budget"), "{:?}", project.values);
        for invoice in invoices {
            assert_eq!(invoice.text("clientid"), project.text("clientid"));
            assert!(invoice.date("date") >= project.date("start_date"));
        }
        let done = project.text("status") == "4"
            && project.text("billing_type") == "fixed"
            && project.date("finished_on") < "2026-10-20";
        assert!(
            !done || billed == project.cents("budget"),
            "{:?}",
            project.values
        );
    }
}

#[test]
fn contracts_are_billed_within_their_term() {
    for invoice in table("invoices").iter() {
        let Some(contract) = invoice.maybe("contract_id") else {
            continue;
        };
        let contract = table("contracts").number(contract);
        assert_eq!(contract.text("clientid"), invoice.text("clientid"));
        assert!(
            contract.date("start_date") <= invoice.date("date")
                && contract.maybe("signed_at").is_some()
        );
        assert!(
            contract
                .maybe("end_date")
                .is_none_or(|end| invoice.date("date") <= end)
        );
    }
}

#[test]
fn credit_notes_are_no_larger_than_their_invoice() {
    let anchor = ANCHOR.to_string();
    for note in table("credit_notes").iter() {
        let invoice = table("invoices").number(note.text("invoice_id"));
        assert_eq!(note.text("clientid"), invoice.text("clientid"));
        assert!(0 < note.cents("total") && note.cents("total") <= invoice.cents("total"));
        assert!(invoice.date("date") <= note.date("date") && note.date("date") < anchor.as_str());
        assert_eq!(
            note.cents("remaining"),
            if note.text("status") == "1" {
                note.cents("total")
            } else {
                0
            }
        );
        assert!(["2", "5"].contains(&invoice.text("status")));
    }
}

#[test]
fn expenses_belong_to_the_client_of_their_project() {
    for expense in table("expenses").iter() {
        assert!(expense.cents("amount") > 0);
        if let Some(project) = expense.maybe("project_id") {
            let project = table("projects").number(project);
            assert_eq!(expense.text("clientid"), project.text("clientid"));
            assert!(
                expense.date("date") >= project.date("start_date")
                    && project
                        .maybe("finished_on")
                        .is_none_or(|end| expense.date("date") <= end)
            );
        }
        assert!(expense.text("billable") == "f" || expense.maybe("clientid").is_some());
    }
}

#[test]
fn amounts_are_spread_as_in_life() {
    let mut totals: Vec<i64> = table("invoices")
        .iter()
        .map(|invoice| invoice.cents("total"))
        .collect();
    totals.sort_unstable();
    let (median, high) = (totals[totals.len() / 2], totals[totals.len() * 95 / 100]);
    let mean = totals.iter().sum::<i64>() / totals.len() as i64;
    assert!(
        mean * 10 > median * 13 && high > 4 * median,
        "median {median}, mean {mean}, 95th of a hundred {high}"
    );
}

//! Names of people.

use super::fold;
use crate::dice::Dice;
use fake::Fake;
use fake::faker::name::raw::{FirstName, LastName};
use fake::locales::{DE_DE, FR_FR, IT_IT, NL_NL};

/// A person's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// First name.
    pub first: String,
    /// Last name.
    pub last: String,
}

impl Person {
    /// Address at `domain`: `first.last`, in ASCII.
    pub fn mail(&self, domain: &str) -> String {
        format!("{}.{}@{domain}", fold(&self.first), fold(&self.last))
    }
}

/// Somebody from the country with this two-letter code; every sixth has come from elsewhere.
pub fn person(country: &str, dice: &mut Dice) -> Person {
    let country = if dice.chance(16) {
        dice.pick(&["US", "US", "DE", "FR", "IT", "NL"])
    } else {
        country
    };
    // The lists hold a few names that make a reader stop: specimens, and names of another language.
    loop {
        let (first, last): (&str, &str) = match country {
            "DE" => (
                FirstName(DE_DE).fake_with_rng(dice),
                LastName(DE_DE).fake_with_rng(dice),
            ),
            "FR" => (
                FirstName(FR_FR).fake_with_rng(dice),
                LastName(FR_FR).fake_with_rng(dice),
            ),
            "IT" => (
                FirstName(IT_IT).fake_with_rng(dice),
                LastName(IT_IT).fake_with_rng(dice),
            ),
            "NL" => (
                FirstName(NL_NL).fake_with_rng(dice),
                LastName(NL_NL).fake_with_rng(dice),
            ),
            _ => (dice.pick(FIRST), dice.pick(LAST)),
        };
        if !ODD.contains(&first) && !ODD.contains(&last) && first != last {
            return Person {
                first: first.into(),
                last: last.into(),
            };
        }
    }
}

#[rustfmt::skip]
const ODD: &[&str] = &["Mustermann", "Müller-Schwarzenberg", "Rudaí", "Ağça", "Inês", "Maija", "Adolf", "Edeltraut", "Hisman"];

/// English first names. Those of `fake` hold too many that nobody bears.
#[rustfmt::skip]
const FIRST: &[&str] = &[
    "Aaron", "Abigail", "Adam", "Aisha", "Alan", "Alex", "Alice", "Alison", "Amanda", "Amelia", "Amir", "Amy", "Andrea",
    "Andrew", "Angela", "Anita", "Anna", "Anthony", "Arjun", "Audrey", "Ben", "Beth", "Brandon", "Brenda", "Brian", "Bridget",
    "Caleb", "Cameron", "Carl", "Carmen", "Caroline", "Catherine", "Charlotte", "Chloe", "Chris", "Claire", "Colin", "Connor",
    "Craig", "Dana", "Daniel", "David", "Deborah", "Denise", "Derek", "Diana", "Diego", "Dominic", "Donna", "Duncan", "Dylan",
    "Edward", "Elaine", "Elena", "Elizabeth", "Ellen", "Emily", "Emma", "Eric", "Erin", "Ethan", "Eva", "Evan", "Faith",
    "Fatima", "Fiona", "Frances", "Gareth", "Gemma", "George", "Georgia", "Grace", "Graham", "Grant", "Greg", "Hannah",
    "Harriet", "Harry", "Hassan", "Heather", "Helen", "Holly", "Ian", "Imogen", "Irene", "Isaac", "Isabel", "Ivan", "Jack",
    "Jacob", "James", "Janet", "Jasmine", "Jason", "Javier", "Jennifer", "Jeremy", "Jessica", "Joanna", "Joel", "Jonathan",
    "Jordan", "Joseph", "Joshua", "Joyce", "Julia", "Julian", "Justin", "Karen", "Kate", "Keith", "Kelly", "Kenneth", "Kevin",
    "Kiran", "Laura", "Lauren", "Leah", "Leila", "Leo", "Lewis", "Liam", "Linda", "Lisa", "Louise", "Lucas", "Lucy", "Luis",
    "Lydia", "Madison", "Marcus", "Maria", "Mark", "Martha", "Martin", "Mary", "Matthew", "Maya", "Megan", "Mei", "Melissa",
    "Michael", "Michelle", "Miguel", "Mohammed", "Monica", "Nadia", "Naomi", "Natalie", "Nathan", "Neil", "Nicholas", "Nicole",
    "Nina", "Noah", "Nora", "Oliver", "Olivia", "Omar", "Oscar", "Owen", "Patricia", "Patrick", "Paul", "Paula", "Peter",
    "Philip", "Priya", "Rachel", "Raj", "Rebecca", "Richard", "Robert", "Robin", "Rosa", "Rose", "Ruby", "Russell", "Ruth",
    "Ryan", "Samantha", "Samuel", "Sandra", "Sanjay", "Sara", "Sarah", "Scott", "Sean", "Sharon", "Simon", "Sofia", "Sophie",
    "Stella", "Stephen", "Steven", "Stuart", "Susan", "Tamara", "Tara", "Teresa", "Theo", "Thomas", "Tim", "Tina", "Tom",
    "Tracy", "Tyler", "Valerie", "Vanessa", "Vera", "Victor", "Victoria", "Vikram", "Wei", "William", "Yasmin", "Yusuf", "Zara",
    "Zoe",
];

/// Last names of people who live where English is spoken.
#[rustfmt::skip]
const LAST: &[&str] = &[
    "Abbott", "Adams", "Adeyemi", "Ahmed", "Allen", "Alvarez", "Anderson", "Armstrong", "Atkinson", "Bailey", "Baker",
    "Banerjee", "Barker", "Barnes", "Barrett", "Bell", "Bennett", "Bishop", "Black", "Boyd", "Bradley", "Brennan", "Brooks",
    "Brown", "Burke", "Burns", "Butler", "Byrne", "Campbell", "Carr", "Carter", "Castillo", "Chapman", "Chen", "Choi", "Clark",
    "Clarke", "Cohen", "Cole", "Coleman", "Collins", "Cooper", "Costa", "Cox", "Craig", "Crawford", "Cruz", "Cunningham", "Daly",
    "Davidson", "Davies", "Davis", "Dawson", "Delgado", "Diaz", "Dixon", "Doherty", "Douglas", "Doyle", "Duncan", "Dunn",
    "Edwards", "Eriksson", "Evans", "Farrell", "Ferguson", "Fernandez", "Fisher", "Fitzgerald", "Fleming", "Flynn", "Foster",
    "Fox", "Francis", "Fraser", "Freeman", "Fuller", "Gallagher", "Garcia", "Gardner", "Gibson", "Gill", "Gonzalez", "Gordon",
    "Graham", "Grant", "Gray", "Green", "Griffin", "Gupta", "Gutierrez", "Hall", "Hamilton", "Hansen", "Harper", "Harris",
    "Harrison", "Hart", "Harvey", "Hayes", "Henderson", "Hernandez", "Hill", "Holland", "Holmes", "Howard", "Hudson", "Hughes",
    "Hunt", "Hunter", "Hussain", "Ibrahim", "Jackson", "James", "Jenkins", "Jensen", "Johnson", "Johnston", "Jones", "Jordan",
    "Joshi", "Kaur", "Keane", "Kelly", "Kennedy", "Khan", "Kim", "King", "Knight", "Kowalski", "Kumar", "Lambert", "Larsen",
    "Lawson", "Lee", "Lewis", "Li", "Lin", "Lopez", "Lynch", "Macdonald", "Mackenzie", "Mahmood", "Marshall", "Martinez",
    "Mason", "Matthews", "McCarthy", "McGrath", "McKenna", "Mehta", "Mendoza", "Miller", "Mills", "Mitchell", "Moore", "Morales",
    "Morgan", "Morris", "Morrison", "Murphy", "Murray", "Nair", "Nelson", "Newman", "Nguyen", "Nolan", "Novak", "O'Brien",
    "O'Connor", "O'Neill", "Okafor", "Okoye", "Oliver", "Olsen", "Ortiz", "Owens", "Palmer", "Park", "Parker", "Patel",
    "Patterson", "Pearce", "Pereira", "Perez", "Perry", "Peters", "Petrov", "Phillips", "Porter", "Powell", "Price", "Quinn",
    "Rahman", "Ramirez", "Reed", "Reid", "Reyes", "Reynolds", "Rice", "Richards", "Richardson", "Rivera", "Roberts", "Robinson",
    "Rodriguez", "Rogers", "Romero", "Rose", "Ross", "Russell", "Ryan", "Sanchez", "Sanders", "Schultz", "Scott", "Shah",
    "Sharma", "Shaw", "Silva", "Simmons", "Simpson", "Singh", "Smith", "Spencer", "Stevens", "Stewart", "Stone", "Sullivan",
    "Sutherland", "Tanaka", "Taylor", "Thompson", "Torres", "Tran", "Turner", "Underwood", "Vargas", "Vaughan", "Vega", "Wagner",
    "Walker", "Wallace", "Walsh", "Wang", "Ward", "Warren", "Watson", "Watts", "Webb", "Weber", "Wells", "West", "White",
    "Whitfield", "Williams", "Williamson", "Wilson", "Wong", "Wood", "Wright", "Yang", "Young", "Zhang",
];

"""Who lives in the demo: two made-up neighbourhoods, their people, organisations and favours.

Nobody here exists. Addresses end in `.example`, phone numbers come from ranges kept for stories.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from timebank.entry import Kind
from timebank.members import Role

PASSPHRASE = "kettle lantern riverbank"  # noqa: S105
"""Everybody in the demo signs in with it."""


class Topic(IntEnum):
    """Positions in the list of categories that a community begins with."""

    COMPANY = 0
    GETTING_ABOUT = 1
    SHOPPING = 2
    FOOD = 3
    GARDEN = 4
    HOME = 5
    COMPUTERS = 6
    LEARNING = 7
    CHILDREN = 8
    HEALTH = 9
    CRAFTS = 10
    PAPER = 11
    OTHER = 12


class Sector(IntEnum):
    """Positions in the list of sectors that a community begins with, those the demo needs."""

    HEALTH = 0
    HOUSING = 2
    EDUCATION = 3
    VOLUNTARY = 6
    ARTS = 8
    NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Favour:
    """Something people do for each other: `minutes` are the usual lengths, `notes` the words."""

    kind: Kind
    topic: Topic
    minutes: tuple[int, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A person in the demo. No `email`: a member without a sign-in, whose buddy may record."""

    name: str
    email: str
    area: str
    offers: tuple[str, ...]
    wishes: tuple[str, ...]
    about: str = ""
    role: Role = Role.MEMBER
    phone: str = ""
    buddy: str = ""  # who records for them


@dataclass(frozen=True, slots=True)
class Words:
    """What people in a neighbourhood say at the turns of an entry, and of their agreement."""

    welcome_gift: str
    donation: str
    dispute: str
    answer: str
    question: str
    decline: str
    undo: str
    keep: str
    consent: str
    named_keeper: str
    purpose: str
    new_agreement: str
    i_can_help: str
    note: str
    found_late: str
    proposal: str
    agree: str
    next_proposal: str
    concern: str
    comment: str


@dataclass(frozen=True, slots=True)
class House:
    """An organisation in the demo, the member who keeps its account, and what it gives and gets."""

    name: str
    sector: Sector
    area: str
    manager: str
    about: str
    gives: tuple[str, ...]
    gets: tuple[str, ...]


FAVOURS: dict[str, Favour] = {
    "gardening": Favour(
        Kind.HELP,
        Topic.GARDEN,
        (60, 90, 120, 150),
        (
            "Dug over the front bed and cut the hedge",
            "Planted beans and weeded the path",
            "Pruned the apple tree before the frost",
            "Mowed the lawn, and we talked about roses",
        ),
    ),
    "repairs": Favour(
        Kind.HELP,
        Topic.HOME,
        (45, 60, 90, 120),
        (
            "Put up two shelves in the hall",
            "Mended the kitchen tap",
            "Hung a door that had stuck for years",
            "New handle on the back gate",
        ),
    ),
    "bicycles": Favour(
        Kind.HELP,
        Topic.HOME,
        (30, 45, 60),
        ("Bicycle repair: brakes and a new chain", "Two punctures and a wobbly saddle"),
    ),
    "lifts": Favour(
        Kind.HELP,
        Topic.GETTING_ABOUT,
        (45, 60, 90, 105),
        (
            "Lift to the eye clinic and back",
            "Drove her to see her sister in hospital",
            "Lift to the garden centre, with compost",
        ),
    ),
    "dogs": Favour(
        Kind.HELP,
        Topic.COMPANY,
        (30, 45, 60),
        ("Walked Biscuit along the river", "Looked after the cat for the weekend"),
    ),
    "computers": Favour(
        Kind.HELP,
        Topic.COMPUTERS,
        (45, 60, 75, 90),
        (
            "Set up the tablet for calls with the grandchildren",
            "Moved photographs from the old telephone",
            "Booked a doctor's appointment together online",
        ),
    ),
    "letters": Favour(
        Kind.HELP,
        Topic.PAPER,
        (30, 45, 60, 75),
        ("Filled in the housing form together", "Wrote to the gas company, politely but firmly"),
    ),
    "languages": Favour(
        Kind.HELP,
        Topic.LEARNING,
        (60, 75, 90),
        ("English conversation over tea", "Spanish for a holiday in Cadiz", "Homework in French"),
    ),
    "music": Favour(
        Kind.HELP,
        Topic.LEARNING,
        (45, 60),
        ("Guitar lesson, three new chords", "Piano practice for the school concert"),
    ),
    "sewing": Favour(
        Kind.HELP,
        Topic.CRAFTS,
        (45, 60, 90, 120),
        ("Hemmed curtains for the new flat", "Mended a winter coat", "Costume for the school play"),
    ),
    "cooking": Favour(
        Kind.HELP,
        Topic.FOOD,
        (60, 90, 120),
        (
            "Soup and bread for the week after the operation",
            "Cooked together: dal, rice and a lot of laughing",
            "Bread baking, two loaves each",
        ),
    ),
    "company": Favour(
        Kind.HELP,
        Topic.COMPANY,
        (60, 75, 90, 120),
        (
            "A walk by the river and a long chat",
            "Kept him company after the funeral",
            "Cards and a cup of tea",
            "Read the newspaper aloud",
        ),
    ),
    "shopping": Favour(
        Kind.HELP,
        Topic.SHOPPING,
        (30, 45, 60, 75),
        ("Shopping and the chemist", "Carried the heavy bags up three floors"),
    ),
    "children": Favour(
        Kind.HELP,
        Topic.CHILDREN,
        (60, 120, 150, 180),
        ("Looked after Leo while his mother was at work", "School run for two, in the rain"),
    ),
    "haircuts": Favour(
        Kind.OTHER, Topic.HEALTH, (30, 45), ("A haircut at home", "Trim before the wedding")
    ),
    "photographs": Favour(
        Kind.OTHER,
        Topic.CRAFTS,
        (60, 90),
        ("Photographs of the street party", "Portraits for the hall"),
    ),
    "moving": Favour(
        Kind.HELP,
        Topic.HOME,
        (120, 150, 180),
        ("Carried boxes to the new flat", "Took the old sofa to the tip"),
    ),
    "hall": Favour(
        Kind.HOSPITALITY,
        Topic.OTHER,
        (120, 180),
        ("The upstairs room, warm and with cups", "Hall and kitchen for the afternoon"),
    ),
    "welcome desk": Favour(
        Kind.HELP,
        Topic.COMPANY,
        (120, 150, 180),
        ("Welcomed visitors at the front desk", "Helped at the open day"),
    ),
    "walk leading": Favour(
        Kind.ACTIVITY,
        Topic.HEALTH,
        (90, 120),
        ("Led the slow walk for good health", "Walk to the old lock"),
    ),
    "facilitating": Favour(
        Kind.FACILITATION,
        Topic.PAPER,
        (90, 120),
        ("Held the residents' evening together", "Chaired the meeting about the lifts"),
    ),
    "reading": Favour(
        Kind.ACTIVITY,
        Topic.CHILDREN,
        (60, 90),
        ("Heard the children read", "Story time for the little ones"),
    ),
}
"""What people in Riverside do for each other. The keys are also what they offer and wish for."""

RIVERSIDE: tuple[Neighbour, ...] = (
    Neighbour(
        "Margaret Okafor",
        "margaret@riverside.example",
        "Mill Road",
        ("letters", "company"),
        ("gardening", "computers"),
        "Retired midwife. I started this with six chairs and a kettle.",
        Role.STEWARD,
        "07700 900101",
    ),
    Neighbour(
        "Daniel Price",
        "daniel@riverside.example",
        "Canal Side",
        ("bicycles", "computers", "moving"),
        ("cooking", "sewing"),
        "Keeps the notes and the kettle. Ask me anything.",
        Role.COORDINATOR,
        "07700 900102",
    ),
    Neighbour(
        "Priya Nair",
        "priya@riverside.example",
        "Station Quarter",
        ("cooking", "languages"),
        ("lifts", "repairs", "children"),
        "Works at the surgery, lives above the baker.",
        Role.COORDINATOR,
        "07700 900103",
    ),
    Neighbour(
        "Amina Yusuf",
        "amina@riverside.example",
        "Canal Side",
        ("cooking", "sewing", "languages"),
        ("bicycles", "gardening", "haircuts"),
        "Two children, one sewing machine, too many cushions.",
        phone="07700 900104",
    ),
    Neighbour(
        "Jorge Medina",
        "jorge@riverside.example",
        "Mill Road",
        ("bicycles", "repairs", "languages", "music"),
        ("sewing", "company", "letters"),
        "From Valencia. I mend what has wheels.",
        phone="07700 900105",
    ),
    Neighbour(
        "Ines Carvalho",
        "ines@riverside.example",
        "Station Quarter",
        ("cooking", "children"),
        ("computers", "music"),
        "Baker. Up at four, asleep by nine.",
    ),
    Neighbour(
        "Tom Whitlock",
        "tom@riverside.example",
        "The Meadows",
        ("gardening", "repairs", "moving"),
        ("computers", "haircuts"),
        "Allotment 14. Always too many courgettes.",
    ),
    Neighbour(
        "Grace Adeyemi",
        "grace@riverside.example",
        "The Meadows",
        ("children", "reading", "company"),
        ("repairs", "lifts"),
        "Teaching assistant at Mill Road Primary.",
    ),
    Neighbour(
        "Hannah Levy",
        "hannah@riverside.example",
        "Mill Road",
        ("music", "languages", "photographs"),
        ("gardening", "moving"),
    ),
    Neighbour(
        "Sean Gallagher",
        "sean@riverside.example",
        "Canal Side",
        ("lifts", "moving", "dogs"),
        ("cooking", "haircuts", "letters"),
        "Used to drive the 42. Still know every bump.",
    ),
    Neighbour(
        "Wei Zhang",
        "wei@riverside.example",
        "Station Quarter",
        ("computers", "photographs"),
        ("languages", "cooking"),
    ),
    Neighbour(
        "Fatima Rahman",
        "fatima@riverside.example",
        "Mill Road",
        ("sewing", "cooking", "children"),
        ("letters", "lifts"),
    ),
    Neighbour(
        "Oliver Bennett",
        "oliver@riverside.example",
        "The Meadows",
        ("dogs", "gardening"),
        ("music", "bicycles"),
        "Sixteen when I joined, with my dad. Seventeen now.",
    ),
    Neighbour(
        "Ruth Bennett",
        "ruth@riverside.example",
        "The Meadows",
        ("haircuts", "shopping"),
        ("gardening", "photographs"),
    ),
    Neighbour(
        "Kwame Mensah",
        "kwame@riverside.example",
        "Canal Side",
        ("repairs", "music", "walk leading"),
        ("sewing", "computers"),
        "Facilitates the housing conversation.",
    ),
    Neighbour(
        "Elena Petrova",
        "elena@riverside.example",
        "Station Quarter",
        ("languages", "letters", "reading"),
        ("repairs", "dogs"),
    ),
    Neighbour(
        "Michael Osei",
        "michael@riverside.example",
        "Mill Road",
        ("lifts", "computers"),
        ("haircuts", "cooking"),
    ),
    Neighbour(
        "Sophie Turner",
        "sophie@riverside.example",
        "Canal Side",
        ("photographs", "dogs", "welcome desk"),
        ("bicycles", "gardening"),
    ),
    Neighbour(
        "Harjit Singh",
        "harjit@riverside.example",
        "The Meadows",
        ("gardening", "cooking", "walk leading"),
        ("computers", "repairs"),
        "The garden at the gurdwara is open to all.",
    ),
    Neighbour(
        "Claire Dubois",
        "claire@riverside.example",
        "Mill Road",
        ("languages", "company", "welcome desk"),
        ("moving", "bicycles"),
    ),
    Neighbour(
        "Yusuf Demir",
        "yusuf@riverside.example",
        "Station Quarter",
        ("haircuts", "shopping"),
        ("letters", "languages"),
        "Barber. My chair travels.",
    ),
    Neighbour(
        "Abigail Clarke",
        "abigail@riverside.example",
        "Canal Side",
        ("children", "sewing"),
        ("lifts", "photographs"),
    ),
    Neighbour(
        "Piotr Nowak",
        "piotr@riverside.example",
        "Mill Road",
        ("repairs", "moving", "bicycles"),
        ("languages", "children"),
    ),
    Neighbour(
        "Leila Haddad",
        "leila@riverside.example",
        "The Meadows",
        ("cooking", "company"),
        ("computers", "lifts"),
    ),
    Neighbour(
        "George Hill",
        "george@riverside.example",
        "Canal Side",
        ("walk leading", "dogs", "reading"),
        ("repairs", "computers"),
    ),
    Neighbour(
        "Nia Roberts",
        "nia@riverside.example",
        "Station Quarter",
        ("music", "welcome desk"),
        ("cooking", "moving"),
    ),
    Neighbour(
        "Samuel Cohen",
        "samuel@riverside.example",
        "Mill Road",
        ("letters", "reading"),
        ("shopping", "repairs"),
        "Retired solicitor. Letters that get answers.",
    ),
    Neighbour(
        "Zara Malik",
        "zara@riverside.example",
        "The Meadows",
        ("computers", "languages"),
        ("music", "sewing"),
    ),
    Neighbour(
        "Ben Fletcher",
        "ben@riverside.example",
        "Canal Side",
        ("moving", "gardening", "lifts"),
        ("haircuts", "letters"),
    ),
    Neighbour(
        "Joyce Campbell",
        "joyce@riverside.example",
        "Mill Road",
        ("sewing", "company", "cooking"),
        ("lifts", "shopping"),
    ),
    Neighbour(
        "Aisha Bello",
        "aisha@riverside.example",
        "Station Quarter",
        ("children", "welcome desk"),
        ("computers", "bicycles"),
    ),
    Neighbour(
        "Robert Ellis",
        "robert@riverside.example",
        "The Meadows",
        ("repairs", "bicycles"),
        ("cooking", "company"),
    ),
    Neighbour(
        "Mei Lin Tan",
        "meilin@riverside.example",
        "Canal Side",
        ("photographs", "cooking"),
        ("gardening", "languages"),
    ),
    Neighbour(
        "Patrick Doyle",
        "patrick@riverside.example",
        "Mill Road",
        ("company", "walk leading"),
        ("lifts", "haircuts"),
    ),
    Neighbour(
        "Chloe Barnes",
        "chloe@riverside.example",
        "Station Quarter",
        ("dogs", "children", "reading"),
        ("music", "moving"),
    ),
    Neighbour(
        "Bert Hughes",
        "",
        "Mill Road",
        ("company", "repairs"),
        ("shopping", "lifts", "letters"),
        "Ninety-one. Clocks, radios and stories.",
        phone="01632 960201",
        buddy="Grace Adeyemi",
    ),
    Neighbour(
        "Edna Marsh",
        "",
        "The Meadows",
        ("sewing", "company"),
        ("gardening", "shopping", "dogs"),
        "Please ring twice, I am slow to the door.",
        phone="01632 960202",
        buddy="Tom Whitlock",
    ),
    Neighbour(
        "Winston Baptiste",
        "",
        "Canal Side",
        ("music", "cooking"),
        ("computers", "lifts"),
        phone="01632 960203",
        buddy="Sean Gallagher",
    ),
    Neighbour(
        "Doris Kettle",
        "",
        "Mill Road",
        ("letters", "cooking"),
        ("repairs", "company"),
        phone="01632 960204",
    ),
    Neighbour(
        "Albert Finch",
        "",
        "Station Quarter",
        ("gardening",),
        ("haircuts", "shopping"),
        phone="01632 960205",
        buddy="Yusuf Demir",
    ),
    Neighbour(
        "Norma Pike",
        "norma@riverside.example",
        "The Meadows",
        ("reading", "company"),
        ("computers", "gardening"),
    ),
    Neighbour(
        "Luca Romano",
        "luca@riverside.example",
        "Canal Side",
        ("cooking", "bicycles"),
        ("languages", "sewing"),
    ),
    Neighbour(
        "Isabel Ford",
        "isabel@riverside.example",
        "Station Quarter",
        ("shopping", "dogs"),
        ("photographs", "repairs"),
    ),
)

HOUSES: tuple[House, ...] = (
    House(
        "Riverside Library",
        Sector.ARTS,
        "Mill Road",
        "Elena Petrova",
        "Books, warmth and the upstairs room.",
        ("hall",),
        ("reading", "welcome desk"),
    ),
    House(
        "Riverside Surgery",
        Sector.HEALTH,
        "Station Quarter",
        "Priya Nair",
        "Two doctors, three nurses and a walking group.",
        ("hall",),
        ("walk leading", "welcome desk"),
    ),
    House(
        "Mill Road Primary School",
        Sector.EDUCATION,
        "Mill Road",
        "Grace Adeyemi",
        "210 children, all of them loud.",
        ("hall",),
        ("reading", "gardening"),
    ),
    House(
        "Waterside Homes",
        Sector.HOUSING,
        "Canal Side",
        "Kwame Mensah",
        "Housing association for Canal Side and The Meadows.",
        ("moving",),
        ("letters", "welcome desk", "facilitating"),
    ),
    House(
        "Good Neighbours Kitchen",
        Sector.VOLUNTARY,
        "The Meadows",
        "Harjit Singh",
        "A hot lunch for whoever comes.",
        ("cooking",),
        ("cooking", "shopping"),
    ),
    House(
        "Canal Side Tenants",
        Sector.NEIGHBOURS,
        "Canal Side",
        "Sophie Turner",
        "The tenants' association, with a very good shed.",
        ("repairs",),
        ("photographs", "gardening"),
    ),
)

APPLICANTS: tuple[tuple[str, str, str], ...] = (
    (
        "Marcus Reid",
        "marcus@riverside.example",
        "I moved to Canal Side in spring and know nobody yet. I can paint walls and cut hair.",
    ),
    (
        "Jenny Lowe",
        "jenny@riverside.example",
        "My mother had such help from Bert's friends. I would like to give some of it back.",
    ),
    (
        "Tariq Aziz",
        "tariq@riverside.example",
        "Student at the college, good with computers, bad at cooking.",
    ),
)

BARRIO_FAVOURS: dict[str, Favour] = {
    "huerto": Favour(
        Kind.HELP,
        Topic.GARDEN,
        (60, 90, 120),
        ("Preparamos los bancales", "Regar y podar los geranios"),
    ),
    "arreglos": Favour(
        Kind.HELP, Topic.HOME, (45, 60, 90), ("Arreglo de la persiana", "Colgar unas estanterías")
    ),
    "acompañar": Favour(
        Kind.HELP,
        Topic.GETTING_ABOUT,
        (60, 90),
        ("Acompañar al médico", "Paseo por el puerto y charla"),
    ),
    "ordenador": Favour(
        Kind.HELP,
        Topic.COMPUTERS,
        (45, 60),
        ("Pedir la cita por internet", "Poner al día el móvil"),
    ),
    "cocina": Favour(
        Kind.HELP,
        Topic.FOOD,
        (90, 120),
        ("Arroz para la semana", "Aprendimos a hacer pan de pueblo"),
    ),
    "inglés": Favour(
        Kind.HELP, Topic.LEARNING, (60, 75), ("Conversación en inglés", "Una carta en inglés")
    ),
}

BARRIO: tuple[Neighbour, ...] = (
    Neighbour(
        "Carmen Ferrer",
        "carmen@barrio.example",
        "Calle Mayor",
        ("cocina", "acompañar"),
        ("ordenador", "arreglos"),
        "Maestra jubilada. Aquí siempre hay café.",
        Role.STEWARD,
    ),
    Neighbour(
        "Vicent Soler",
        "vicent@barrio.example",
        "El Puerto",
        ("arreglos", "huerto"),
        ("cocina", "inglés"),
        "Apunto las horas y riego los geranios.",
        Role.COORDINATOR,
    ),
    Neighbour(
        "Jorge Medina",
        "jorge@riverside.example",
        "El Puerto",
        ("inglés", "arreglos"),
        ("cocina", "huerto"),
        "Vivo en Inglaterra, pero los veranos son de aquí.",
    ),
    Neighbour(
        "Lucía Navarro",
        "lucia@barrio.example",
        "La Huerta",
        ("ordenador", "inglés"),
        ("huerto", "acompañar"),
    ),
    Neighbour(
        "Amparo Gil",
        "",
        "Calle Mayor",
        ("cocina",),
        ("acompañar", "ordenador"),
        "Ochenta y ocho años y buen oído.",
        buddy="Lucía Navarro",
    ),
    Neighbour(
        "Mateo Ruiz", "mateo@barrio.example", "La Huerta", ("huerto", "acompañar"), ("arreglos",)
    ),
    Neighbour(
        "Nuria Pons",
        "nuria@barrio.example",
        "El Puerto",
        ("acompañar", "ordenador"),
        ("cocina", "inglés"),
    ),
    Neighbour(
        "Rosa Vidal", "rosa@barrio.example", "Calle Mayor", ("cocina", "huerto"), ("arreglos",)
    ),
)

BARRIO_APPLICANTS: tuple[tuple[str, str, str], ...] = (
    ("Andrés Llorca", "andres@barrio.example", "Soy nuevo en el barrio y sé tocar la guitarra."),
)
BARRIO_WORDS = Words(
    welcome_gift="Bienvenida al barrio",
    donation="Para quien ahora no puede dar",
    dispute="Creo que fueron solo cuarenta y cinco minutos.",
    answer="Con el camino de vuelta fue una hora, pero está bien así.",
    question="¿Con quién fue? Falta un nombre.",
    decline="Ya estaba apuntado la semana pasada.",
    undo="Lo apuntamos dos veces.",
    keep="Lo hemos hablado con un café: queda así.",
    named_keeper="Así lo dice su carta.",
    consent="Me lo pidió de palabra, delante de Carmen.",
    i_can_help="Puedo ayudarte, ¿te va bien el jueves por la tarde?",
    note="Mejor llamar después de las diez.",
    purpose="Para que nadie en el barrio tenga que apañárselas a solas.",
    new_agreement="Lo acordamos en la asamblea: más margen para quien empieza.",
    found_late="Arreglar la persiana; la hoja apareció en un cajón",
    proposal="Hay quien mira el correo solo los domingos: diez días para decirlo son más justos.",
    agree="De acuerdo, a mí también se me pasaba.",
    next_proposal="Los martes viene cada vez más gente, y lo común se queda corto en otoño.",
    concern="Si baja tanto, ¿cómo lo recuperamos? Hablemos antes de los donativos.",
    comment="Lo hablamos el martes después del café, y quien no pueda venir, que lo diga aquí.",
)
RIVERSIDE_WORDS = Words(
    welcome_gift="A welcome from all of us",
    donation="For somebody who cannot give just now",
    dispute="I think it was an hour less: we had tea in between.",
    answer="You are right about the tea. The lift home was another half hour, though.",
    question="Which day was this? The surgery was closed on that one.",
    decline="This is already there under last week.",
    undo="We both wrote it down, so it was there twice.",
    keep="We talked it over at the library; it stays as it is.",
    named_keeper="Named in a letter from the organisation.",
    consent="Asked me to, at the kitchen table, with Margaret there.",
    i_can_help="I can help. Would Thursday afternoon suit you?",
    note="Better to ring after ten.",
    purpose="So that nobody in Riverside has to manage alone, and everybody is needed.",
    new_agreement="Agreed at the members' meeting: more room for people who are ill for long.",
    found_late="Cleared the gutters; the sheet turned up behind the piano",
    proposal="Some of us read our mail on Sundays only. Ten days to answer are fairer than seven.",
    agree="Yes. I was away that week myself.",
    next_proposal=(
        "The gatherings are loved, and each autumn the commons runs low. We would like to let it "
        "go further below zero, and look again in a year."
    ),
    concern="How does it come up again from there? Let us talk about giving to it first.",
    comment="We can talk it over after the soup on Thursday. If you cannot come, write here.",
)


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """A demo community: where it is, who lives there, and what happens in its year.

    `workshops`: one gives to many. `joint`: many give to one. `together`: many give to many. Its
    gatherings are in `timebank.demo_evenings`.
    """

    slug: str
    name: str
    language: str
    timezone: str
    weeks: int
    favours_each_week: int
    people: tuple[Neighbour, ...]
    houses: tuple[House, ...]
    applicants: tuple[tuple[str, str, str], ...]
    favours: dict[str, Favour]
    workshops: tuple[tuple[str, Topic], ...]
    joint: tuple[tuple[str, Topic], ...]
    together: tuple[tuple[str, Topic], ...]
    words: Words
    paused: str = ""
    left: str = ""


RIVERSIDE_BANK = Neighbourhood(
    slug="riverside",
    name="Riverside Time Bank",
    language="en",
    timezone="Europe/London",
    weeks=52,
    favours_each_week=6,
    people=RIVERSIDE,
    houses=HOUSES,
    applicants=APPLICANTS,
    favours=FAVOURS,
    workshops=(
        ("Sourdough for beginners", Topic.FOOD),
        ("How to mend a puncture", Topic.HOME),
        ("First steps with the tablet", Topic.COMPUTERS),
        ("Curtains in an afternoon", Topic.CRAFTS),
    ),
    joint=(
        ("Cleared the loft before the move", Topic.HOME),
        ("Painted the hallway, two coats", Topic.HOME),
        ("Cooked for the christening", Topic.FOOD),
    ),
    together=(
        ("Garden day in The Meadows", Topic.GARDEN),
        ("Repair evening at the tenants' shed", Topic.HOME),
        ("Homework club", Topic.LEARNING),
    ),
    words=RIVERSIDE_WORDS,
    paused="Norma Pike",
    left="Luca Romano",
)

BARRIO_BANK = Neighbourhood(
    slug="barrio-del-puerto",
    name="Banco de Tiempo del Puerto",
    language="es",
    timezone="Europe/Madrid",
    weeks=16,
    favours_each_week=2,
    people=BARRIO,
    houses=(),
    applicants=BARRIO_APPLICANTS,
    favours=BARRIO_FAVOURS,
    workshops=(("Pan de pueblo para todos", Topic.FOOD),),
    joint=(("Pintamos la cocina", Topic.HOME),),
    together=(("Limpieza de la playa", Topic.OTHER),),
    words=BARRIO_WORDS,
)

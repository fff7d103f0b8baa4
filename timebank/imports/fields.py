"""What a file can say of each kind of thing, and what the columns are called elsewhere.

A heading is compared without case, accents and signs ("E-mail:" is "e mail"). The words are those
of TimeOverflow (in Catalan, English, French, Galician, Portuguese, Spanish), of Community Weaver,
of Komunitin, of the spreadsheets people keep by hand, and our own. docs/importing.md lists the
fields; a test compares it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from timebank.imports.files import What
from timebank.text import fold


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a row can say. `words` are headings it goes by, the surest first."""

    key: str
    words: tuple[str, ...]
    needed: bool = False


def _field(key: str, *words: str, needed: bool = False) -> Field:
    return Field(key, tuple(plain(word) for word in (key.replace("_", " "), *words)), needed)


@lru_cache(20_000)
def plain(heading: str) -> str:
    """A heading for comparing: folded, with single spaces instead of signs."""
    return re.sub(r"[^a-z0-9]+", " ", fold(heading)).strip()


_NUMBER = _field(
    "number", "member number", "member id", "member no", "member_uid", "uid", "user code",
    "registration number", "code", "n", "no", "nr", "num", "user id", "codigo",
    "codigo de usuario", "codi d usuari", "numero", "numero de socio", "numero de socia",
    "matricule", "numero de membre", "socio", "numero socio", "medlemsnummer", "id",
)  # fmt: skip
_EMAIL = _field(
    "email", "e mail", "mail", "email address", "e mail address", "correo", "correo electronico",
    "correu", "correu electronic", "courriel", "adresse mail", "adresse e mail",
    "posta elettronica", "indirizzo email", "contact email", "endereco de email", "e post",
    "emailadresse",
)  # fmt: skip
_PHONE = _field(
    "phone", "telephone", "tel", "mobile", "cell", "cell phone", "home phone", "phone number",
    "telefono", "telefon", "movil", "mobil", "portable", "telefone", "cellulare", "telefonnummer",
    "primary phone",
)  # fmt: skip
_AREA = _field(
    "area", "neighborhood", "neighbourhood", "barrio", "barri", "quartier", "quartiere", "district",
    "bairro", "city", "town", "ciudad", "ciutat", "ville", "citta", "by", "locality",
    "address locality", "village", "cidade", "kvarter",
)  # fmt: skip
_ABOUT = _field(
    "about", "description", "bio", "biography", "profile", "about me", "descripcion", "descripcio",
    "presentation", "descrizione", "descricao", "beskrivelse", "sobre mi",
)  # fmt: skip
_SINCE = _field(
    "joined", "joined on", "join date", "date joined", "member since", "created", "created at",
    "createdat", "creado", "creat", "cree", "criado", "creado el", "fecha de alta", "data d alta",
    "registration date", "date d inscription", "data di iscrizione", "alta", "indmeldt",
    "start date", "approved on",
)  # fmt: skip
_BALANCE = _field(
    "balance", "saldo", "solde", "balanc", "hours balance", "current balance", "account balance",
    "balance of hours", "time balance",
)  # fmt: skip
_CATEGORY = _field(
    "category", "service category", "categoria", "categorie", "kategori", "type of service",
    "service", "servicio", "servei",
)  # fmt: skip
_NAME_WORDS = (
    "full name", "member", "member name", "display name", "nombre", "nombre y apellidos", "nom",
    "nom i cognoms", "nom complet", "nome", "nome e cognome", "navn", "username", "user name",
    "nombre completo", "person",
)  # fmt: skip
_NOTE = _field(
    "note", "notes", "what", "what for", "description", "reason", "comments", "comment",
    "comentarios", "comentaris", "razon", "motivo", "motif", "raison", "commentaires", "title",
    "exchange title", "exchange", "service description", "post", "concepto", "concepte",
    "descripcion", "descripcio", "descrizione", "descricao", "beskrivelse", "commenti", "anuncio",
    "anunci", "details",
)  # fmt: skip
_DAY = _field(
    "day", "date", "fecha", "data", "dato", "service date", "date of service", "exchange date",
    "date of exchange", "exchanged on", "occurred on", "created at", "createdat", "created", "when",
    "jour", "giorno", "dia", "date exchanged", "performed on", "data", needed=True,
)  # fmt: skip
_PERSON = ("member", "person", "name", "nombre", "nom", "nome", "navn", "user", "usuario", "usuari")

FIELDS: dict[What, tuple[Field, ...]] = {
    What.PEOPLE: (
        _field("name", *_NAME_WORDS),
        _field(
            "first_name", "given name", "forename", "firstname", "nombre de pila", "prenom",
            "nome di battesimo", "fornavn", "first",
        ),
        _field(
            "last_name", "surname", "family name", "lastname", "apellidos", "apellido", "cognoms",
            "cognom", "nom de famille", "cognome", "sobrenome", "efternavn", "last",
        ),
        _NUMBER,
        _EMAIL,
        _PHONE,
        _AREA,
        _ABOUT,
        _SINCE,
        _field(
            "organisation", "organization", "organizacion", "organitzacio", "organizzazione",
            "affiliation", "entidad", "entitat", "workplace", "employer", "company",
        ),
        _field("role", "job", "job title", "position", "cargo", "carrec", "fonction", "ruolo"),
        _field("kind", "kind of member", "member type", "account type", "type", "tipo", "tipus"),
        _BALANCE,
    ),
    What.ORGANISATIONS: (
        _field(
            "name", "organisation", "organization", "organisation name", "organization name",
            "group", "nombre", "nom", "nome", "navn", "entidad", "entitat", "full name",
            needed=True,
        ),
        _NUMBER,
        _field("sector", "kind of organisation", "type", "tipo", "tipus", "secteur", "settore"),
        _AREA,
        _ABOUT,
        _field("contact", "contact person", "contacto", "contacte", "contatto", "kontakt"),
        _PHONE,
        _EMAIL,
        _field(
            "managers", "account managers", "manager", "account manager", "managed by",
            "responsables", "gestores", "gestors", "responsabili",
        ),
        _SINCE,
        _BALANCE,
    ),
    What.AFFILIATIONS: (
        _field("person", *_PERSON, "member name", needed=True),
        _field(
            "organisation", "organization", "organizacion", "organitzacio", "organizzazione",
            "affiliation", "entidad", "entitat", "group",
        ),
        _field("role", "job", "job title", "position", "cargo", "carrec", "fonction", "ruolo"),
        _field("since", "from", "start", "start date", "desde", "des de", "depuis", "dal", "fra"),
        _field("until", "to", "end", "end date", "hasta", "fins", "jusqu a", "al", "til"),
    ),
    What.LISTINGS: (
        _field(
            "kind", "type", "tipo", "tipus", "offer or request", "offer request", "listing type",
            needed=True,
        ),
        _field("person", *_PERSON, "owner", "posted by", "offered by", "member name", "author"),
        _field("person_number", "n", "member id", "user id", "member number", "member uid"),
        _field(
            "title", "titulo", "titol", "titre", "titolo", "headline", "ad title", "service",
            "overskrift", needed=True,
        ),
        _field(
            "words", "description", "details", "descripcion", "descripcio", "descrizione",
            "descricao", "beskrivelse", "text", "body",
        ),
        _CATEGORY,
        _AREA,
        _field(
            "written", "created", "created at", "createdat", "posted", "date", "fecha", "creado",
            "creat", "posted on", "start on", "cree", "criado",
        ),
        _field("until", "expires", "expiry", "end on", "expires on", "hasta", "fins", "caduca"),
    ),
    What.HOURS: (
        _field(
            "id", "exchange id", "transaction id", "transfer id", "entry", "reference", "sourcekey",
            "certificate number", "nid", "exchange number",
        ),
        _DAY,
        _field(
            "giver", "provider", "service provider", "provider name", "given by", "gave",
            "who gave", "giver name", "quien dio", "da", "ofrece", "proveedor", "prestador",
            "donneur", "chi ha dato", "earned by", "helper", "volunteer", "hvem gav",
        ),
        _field(
            "giver_number", "provider id", "provider user id", "provider number", "provider uid",
            "giver id",
        ),
        _field(
            "receiver", "recipient", "service recipient", "recipient name", "received by",
            "received", "who received", "receiver name", "quien recibio", "recibe", "receptor",
            "receveur", "chi ha ricevuto", "spent by", "beneficiary", "hvem fik",
        ),
        _field(
            "receiver_number", "recipient id", "receiver id", "recipient user id",
            "recipient number", "recipient uid",
        ),
        _field(
            "source", "from", "payer", "payer code", "payeraccountcode", "buyer", "origen",
            "origem",
            "desde", "de", "from name", "fra",
        ),
        _field("source_number", "from id", "source id", "payer id"),
        _field(
            "destination", "to", "payee", "payee code", "payeeaccountcode", "seller", "destino",
            "desti", "hacia", "a", "vers", "para", "to name", "til",
        ),
        _field("destination_number", "to id", "destination id", "payee id"),
        _field(
            "time", "minutes", "hours", "duration", "amount", "quantity", "horas", "hores",
            "heures", "ore", "timer", "minutos", "minuts", "cantidad", "quantitat", "quantite",
            "quantita",
            "tiempo", "temps", "tempo", "tid", "number of hours", "hours exchanged", "seconds",
            "service hours", "quantidade", "length", "duree", "durata", needed=True,
        ),
        _NOTE,
        _CATEGORY,
        _field("kind", "kind of help", "kind of entry", "tipo", "tipus"),
    ),
}  # fmt: skip


_OF_ORGANISATIONS = frozenset(
    {"sector", "secteur", "settore", "managers", "account managers", "organisation name",
     "organization name", "entidad", "entitat"}
)  # fmt: skip
ONE_SIDE = ("giver", "giver_number", "destination", "destination_number")
OTHER_SIDE = ("receiver", "receiver_number", "source", "source_number")


def fields_of(what: What) -> dict[str, Field]:
    """The fields of a kind of thing, by key, in the order they are offered."""
    return {field.key: field for field in FIELDS[what]}


def guess(what: What, headings: Sequence[str]) -> dict[str, int]:
    """Which column each field most likely is, by the headings alone: {field: column from 0}.

    The surest words win: a column goes to one field, and a field takes one column.
    """
    names = [plain(heading) for heading in headings]
    claims = sorted(
        (
            (field.words.index(name), place, column, field.key)
            for place, field in enumerate(FIELDS[what])
            for column, name in enumerate(names)
            if name and name in field.words
        ),
    )
    found: dict[str, int] = {}
    for _sureness, _place, column, key in claims:
        if key not in found and column not in found.values():
            found[key] = column
    return found


def likeliest(headings: Sequence[str]) -> What:
    """What the rows most likely are, by their headings."""

    names = {plain(heading) for heading in headings}

    def score(what: What) -> tuple[int, int]:
        found = guess(what, headings)
        needed = [field.key for field in FIELDS[what] if field.needed]
        missing = sum(1 for key in needed if key not in found)
        if what is What.HOURS and not set(ONE_SIDE) & found.keys():
            missing += 1
        if what is What.LISTINGS and not {"person", "person_number"} & found.keys():
            missing += 1
        if what is What.ORGANISATIONS and not names & _OF_ORGANISATIONS:
            missing += 1  # else whoever has a name and a telephone could be one
        return (-missing, len(found))

    order = (What.HOURS, What.LISTINGS, What.AFFILIATIONS, What.PEOPLE, What.ORGANISATIONS)
    return max(order, key=score)

"""Words of ingredient lines that are no food: quantities, units, and how a food is prepared."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


UNITS = _words(
    """
    bag bar batch block bottle bouquet box bulb bunch c can carton container cube cup dash dollop drop ear
    envelope fillet fl fluid g gal gallon gr gram handful head in inch jar kg kilogram kilo knob l lb leaf liter
    litre loaf log mg milliliter millilitre ml mm cm clove ounce oz pack package packet part pat piece pinch
    pint pkg pound pt qt quart recipe rib round serving sheet shot sleeve slice splash sprig sprinkle square
    stalk stem stick strip tbs tbsp tbspn tablespoon teaspoon thumb tin tsp tub wedge dozen
    """
)
"""Measures and shapes, in the singular."""

ALSO_FOODS = _words("clove cloves fillet fillets rib ribs heart hearts")
"""Those that are foods where nothing else is left of a line."""

NUMBERS = _words(
    """
    a an one two three four five six seven eight nine ten eleven twelve half quarter third dozen couple few
    several some about approximately around each
    """
)
"""Quantities in words."""

SIZES = _words(
    """
    small medium large extra-large jumbo big little thin thick long short baby bite bite-size bite-sized heaping
    heaped level scant generous good more less extra additional
    """
)
"""How large, and how much."""

PREPARATIONS = _words(
    """
    beaten blanched boiled boiling boned boneless bone-in bottled broken browned bruised brushed canned chilled
    chopped cleaned coarse cold cooked cooled cored crisp crispy crosswise crumbled crushed cubed cut debearded
    deboned defatted defrosted deseeded deveined diced diluted dissolved divided drained dry-roasted emulsified
    fine firm firmly flaked flattened fresh freshly frozen grated grilled halved hard-boiled heated homemade hot
    hulled husked instant jarred julienned juiced kosher-style lengthwise lightly lukewarm marinated mashed
    melted minced natural needed optional organic packed pared patted peeled picked pitted plain poached pounded
    preferred preferably prepared pressed pure pureed quartered quality raw refrigerated reserved rinsed ripe
    roughly salted sauteed scalded scored scraped scrubbed seeded seedless separated shaved shelled shredded
    shucked sifted skinless skinned skin-on skin-off sliced slivered snipped softened soaked split squeezed
    steamed stemmed store-bought strained taste temperature thawed thinly toasted torn tied trimmed uncooked
    unpeeled unsalted unsweetened unbleached unwaxed warm warmed washed well whipped whole zested low-sodium
    reduced-sodium low-fat nonfat non-fat fat-free reduced-fat lowfat sodium free range free-range lean brand
    style dried dry minute day-old leftover packaged
    """
)
"""What was done to a food, in what state it is, and how good."""

FILLERS = _words("of the into to at as if your favorite favourite room in on plus also it its very any other")
"""Words that carry nothing, wherever they stand."""

MEATS = _words("beef chicken chuck lamb meat pork sausage sirloin turkey veal venison")
"""What is another food when it is ground; a spice is not."""

CUTS = (" for ", " such as ", " plus ", " with ", " from ", " cut ", " at ", " if ", " until ", " about ", " like ")
"""Whatever follows these explains what stands before them."""

TOGETHER = ("half and half", "half & half", "half-and-half", "macaroni and cheese", "pork and beans", "sweet and sour")
"""One food although there is an "and" in it."""

"""The listings of the simulated exchange: real US tickers, busiest first, then made-up ones.

A line of LISTED: ticker, listing market (ITCH market category: Q Nasdaq, N NYSE, P NYSE Arca),
a plausible price in dollars, name. The prices are starting points of a simulation, not quotes.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_SYMBOLS = 65_535  # a stock locate is 16 bits wide


class Listing(NamedTuple):
    """One instrument: `price` in 1e-4 dollars, `category` the ITCH market category."""

    symbol: str
    category: str
    price: int
    name: str

    @property
    def is_fund(self) -> bool:
        """Exchange-traded funds, which list on Arca or say so in their names."""
        return self.category == "P" or self.name.endswith(("ETF", "Trust"))


LISTED = """
AAPL Q 185.40 Apple Inc.
MSFT Q 425.10 Microsoft Corporation
NVDA Q 138.25 NVIDIA Corporation
TSLA Q 248.50 Tesla Inc.
AMZN Q 186.70 Amazon.com Inc.
SPY P 585.20 SPDR S&P 500 ETF
QQQ Q 505.30 Invesco QQQ Trust
AMD Q 156.40 Advanced Micro Devices Inc.
META Q 580.15 Meta Platforms Inc.
GOOGL Q 166.90 Alphabet Inc. Class A
INTC Q 22.80 Intel Corporation
IWM P 221.60 iShares Russell 2000 ETF
GOOG Q 168.40 Alphabet Inc. Class C
PLTR Q 44.95 Palantir Technologies Inc.
BAC N 42.30 Bank of America Corporation
NFLX Q 722.80 Netflix Inc.
AVGO Q 181.50 Broadcom Inc.
SOFI Q 11.05 SoFi Technologies Inc.
F N 10.95 Ford Motor Company
T N 21.70 AT&T Inc.
MU Q 107.60 Micron Technology Inc.
CSCO Q 54.20 Cisco Systems Inc.
TQQQ Q 74.85 ProShares UltraPro QQQ ETF
JPM N 222.40 JPMorgan Chase & Co.
XOM N 119.80 Exxon Mobil Corporation
PFE N 29.15 Pfizer Inc.
WFC N 63.70 Wells Fargo & Company
CMCSA Q 41.60 Comcast Corporation
DIS N 96.40 The Walt Disney Company
UBER N 79.30 Uber Technologies Inc.
COIN Q 211.75 Coinbase Global Inc.
KO N 69.55 The Coca-Cola Company
MSTR Q 214.30 MicroStrategy Incorporated
SMCI Q 47.20 Super Micro Computer Inc.
QCOM Q 170.85 QUALCOMM Incorporated
C N 64.10 Citigroup Inc.
VZ N 43.65 Verizon Communications Inc.
BABA N 102.90 Alibaba Group Holding Limited
GME N 21.80 GameStop Corp.
RIVN Q 10.40 Rivian Automotive Inc.
WMT N 80.95 Walmart Inc.
CVX N 150.20 Chevron Corporation
MRVL Q 80.40 Marvell Technology Inc.
GM N 48.90 General Motors Company
XLF P 46.85 Financial Select Sector SPDR ETF
TLT Q 93.20 iShares 20+ Year Treasury Bond ETF
GLD P 244.70 SPDR Gold Trust
SLV P 28.90 iShares Silver Trust
EEM P 45.80 iShares MSCI Emerging Markets ETF
HYG P 79.60 iShares iBoxx High Yield Corporate Bond ETF
PYPL Q 79.85 PayPal Holdings Inc.
NKE N 82.30 NIKE Inc.
ORCL N 175.60 Oracle Corporation
CRM N 289.40 Salesforce Inc.
ADBE Q 495.70 Adobe Inc.
V N 281.90 Visa Inc.
MA N 510.25 Mastercard Incorporated
JNJ N 164.30 Johnson & Johnson
PG N 170.85 The Procter & Gamble Company
UNH N 584.20 UnitedHealth Group Incorporated
HD N 407.30 The Home Depot Inc.
LLY N 905.40 Eli Lilly and Company
MRK N 109.20 Merck & Co. Inc.
ABBV N 194.10 AbbVie Inc.
PEP Q 174.60 PepsiCo Inc.
COST Q 889.30 Costco Wholesale Corporation
TMO N 602.50 Thermo Fisher Scientific Inc.
MCD N 314.70 McDonald's Corporation
ACN N 365.40 Accenture plc
ABT N 117.20 Abbott Laboratories
LIN Q 475.80 Linde plc
TXN Q 203.90 Texas Instruments Incorporated
AMAT Q 187.20 Applied Materials Inc.
LRCX Q 73.65 Lam Research Corporation
KLAC Q 670.80 KLA Corporation
ASML Q 711.40 ASML Holding N.V.
ARM Q 148.30 Arm Holdings plc
PANW Q 374.20 Palo Alto Networks Inc.
CRWD Q 308.60 CrowdStrike Holdings Inc.
SNOW N 117.90 Snowflake Inc.
NET N 92.40 Cloudflare Inc.
DDOG Q 125.30 Datadog Inc.
ZS Q 187.60 Zscaler Inc.
MDB Q 273.10 MongoDB Inc.
SHOP N 80.25 Shopify Inc.
SQ N 71.90 Block Inc.
ROKU Q 76.40 Roku Inc.
SNAP N 10.60 Snap Inc.
PINS N 32.15 Pinterest Inc.
RBLX N 42.10 Roblox Corporation
ABNB Q 133.80 Airbnb Inc.
DASH Q 148.20 DoorDash Inc.
LYFT Q 13.45 Lyft Inc.
HOOD Q 24.85 Robinhood Markets Inc.
AFRM Q 42.70 Affirm Holdings Inc.
UPST Q 42.95 Upstart Holdings Inc.
MARA Q 16.70 MARA Holdings Inc.
RIOT Q 8.95 Riot Platforms Inc.
CLSK Q 10.30 CleanSpark Inc.
LCID Q 3.30 Lucid Group Inc.
NIO N 6.15 NIO Inc.
XPEV N 11.80 XPeng Inc.
LI Q 26.40 Li Auto Inc.
JD Q 40.35 JD.com Inc.
PDD Q 127.60 PDD Holdings Inc.
BIDU Q 96.20 Baidu Inc.
TSM N 187.40 Taiwan Semiconductor Manufacturing Company
SONY N 94.30 Sony Group Corporation
TM N 175.20 Toyota Motor Corporation
BA N 154.90 The Boeing Company
CAT N 392.60 Caterpillar Inc.
DE N 404.10 Deere & Company
GE N 189.50 GE Aerospace
HON Q 206.30 Honeywell International Inc.
MMM N 135.40 3M Company
LMT N 602.80 Lockheed Martin Corporation
RTX N 124.60 RTX Corporation
NOC N 532.90 Northrop Grumman Corporation
GD N 301.70 General Dynamics Corporation
UPS N 134.20 United Parcel Service Inc.
FDX N 266.40 FedEx Corporation
UNP N 243.80 Union Pacific Corporation
CSX Q 33.90 CSX Corporation
NSC N 250.40 Norfolk Southern Corporation
DAL N 51.20 Delta Air Lines Inc.
UAL Q 61.70 United Airlines Holdings Inc.
AAL Q 11.75 American Airlines Group Inc.
LUV N 30.60 Southwest Airlines Co.
CCL N 18.95 Carnival Corporation
RCL N 178.30 Royal Caribbean Cruises Ltd.
NCLH N 21.40 Norwegian Cruise Line Holdings Ltd.
MAR Q 252.90 Marriott International Inc.
HLT N 233.10 Hilton Worldwide Holdings Inc.
LVS N 51.80 Las Vegas Sands Corp.
MGM N 38.90 MGM Resorts International
WYNN Q 98.60 Wynn Resorts Limited
SBUX Q 96.70 Starbucks Corporation
CMG N 59.40 Chipotle Mexican Grill Inc.
YUM N 133.50 Yum! Brands Inc.
TGT N 155.80 Target Corporation
LOW N 272.60 Lowe's Companies Inc.
TJX N 117.30 The TJX Companies Inc.
ROST Q 145.90 Ross Stores Inc.
BBY N 98.20 Best Buy Co. Inc.
KR N 56.40 The Kroger Co.
WBA Q 9.15 Walgreens Boots Alliance Inc.
CVS N 62.80 CVS Health Corporation
CI N 343.70 The Cigna Group
HUM N 252.40 Humana Inc.
ELV N 432.80 Elevance Health Inc.
AMGN Q 322.60 Amgen Inc.
GILD Q 84.90 Gilead Sciences Inc.
BMY N 52.40 Bristol-Myers Squibb Company
MRNA Q 59.20 Moderna Inc.
BIIB Q 186.40 Biogen Inc.
REGN Q 1008.50 Regeneron Pharmaceuticals Inc.
VRTX Q 478.90 Vertex Pharmaceuticals Incorporated
ISRG Q 492.30 Intuitive Surgical Inc.
MDT N 90.40 Medtronic plc
SYK N 361.20 Stryker Corporation
BSX N 85.70 Boston Scientific Corporation
DHR N 273.60 Danaher Corporation
GS N 519.80 The Goldman Sachs Group Inc.
MS N 118.40 Morgan Stanley
SCHW N 71.60 The Charles Schwab Corporation
BLK N 985.20 BlackRock Inc.
AXP N 272.90 American Express Company
USB N 48.70 U.S. Bancorp
PNC N 188.60 The PNC Financial Services Group Inc.
TFC N 44.20 Truist Financial Corporation
COF N 157.40 Capital One Financial Corporation
MET N 84.30 MetLife Inc.
AIG N 77.10 American International Group Inc.
BX N 168.90 Blackstone Inc.
KKR N 138.70 KKR & Co. Inc.
CME Q 222.80 CME Group Inc.
ICE N 164.50 Intercontinental Exchange Inc.
NDAQ Q 74.10 Nasdaq Inc.
SPGI N 515.60 S&P Global Inc.
MCO N 473.20 Moody's Corporation
COP N 108.30 ConocoPhillips
SLB N 42.60 Schlumberger Limited
HAL N 29.40 Halliburton Company
OXY N 52.70 Occidental Petroleum Corporation
DVN N 40.80 Devon Energy Corporation
EOG N 126.10 EOG Resources Inc.
MPC N 153.70 Marathon Petroleum Corporation
VLO N 133.60 Valero Energy Corporation
KMI N 24.80 Kinder Morgan Inc.
NEE N 81.90 NextEra Energy Inc.
DUK N 117.40 Duke Energy Corporation
SO N 91.80 The Southern Company
D N 59.20 Dominion Energy Inc.
FCX N 47.30 Freeport-McMoRan Inc.
NEM N 55.60 Newmont Corporation
AA N 40.20 Alcoa Corporation
CLF N 13.30 Cleveland-Cliffs Inc.
NUE N 149.80 Nucor Corporation
DOW N 52.90 Dow Inc.
IBM N 232.70 International Business Machines Corporation
HPQ N 37.20 HP Inc.
DELL N 124.90 Dell Technologies Inc.
NOW N 935.40 ServiceNow Inc.
INTU Q 612.80 Intuit Inc.
ADP Q 291.30 Automatic Data Processing Inc.
MDLZ Q 70.40 Mondelez International Inc.
CL N 99.60 Colgate-Palmolive Company
MO N 50.10 Altria Group Inc.
PM N 121.60 Philip Morris International Inc.
"""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CODES = len(_LETTERS) ** 4
_STRIDE = 138_601  # odd and no multiple of 13, so its multiples visit every 4-letter code once


def listed() -> list[Listing]:
    """The real tickers, busiest first."""
    found = []
    for line in LISTED.strip().splitlines():
        symbol, category, price, name = line.split(" ", 3)
        found.append(Listing(symbol, category, round(float(price) * 100) * 100, name))
    return found


def made_up(index: int) -> Listing:
    """The index-th made-up ticker: four letters, a price of 4 to 260 dollars."""
    code = (index + 1) * _STRIDE % _CODES
    letters = []
    for _ in range(4):
        code, letter = divmod(code, 26)
        letters.append(_LETTERS[letter])
    symbol = "".join(letters)
    cents = 400 + (index * 2_654_435_761 % 65_536) ** 2 * 25_600 // 65_536**2
    return Listing(symbol, "QNSG"[index % 4], cents * 100, f"{symbol.title()} Holdings Inc.")


def listings(count: int) -> list[Listing]:
    """`count` listings with unique tickers, always the same ones.

    Raises:
        ValueError: fewer than 1 or more than MAX_SYMBOLS.
    """
    if not 1 <= count <= MAX_SYMBOLS:
        raise ValueError(f"{count} symbols: give 1 to {MAX_SYMBOLS}")
    found = listed()[:count]
    known = {listing.symbol for listing in found}
    index = 0
    while len(found) < count:
        listing = made_up(index)
        index += 1
        if listing.symbol not in known:
            found.append(listing)
    return found

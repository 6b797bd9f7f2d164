// Package channel sorts a visit's origin into Google's published default channel groups, exactly and by whole names, never by parts of words.
//
// Rules: "Default channel group", Google Analytics help, answer 9756891. Where this differs: a visit tagged utm_medium=referral is the
// shop's own referral programme, whatever the source; "Paid Other" is not among our channels, so that it is Paid Social, Paid Search … where the
// medium says so in words (paid_social) and Unassigned otherwise; mail read in a browser is Email; what an AI assistant sent is AI Assistant.
package channel

import "strings"

// The channels.
const (
	Direct          = "Direct"
	OrganicSearch   = "Organic Search"
	PaidSearch      = "Paid Search"
	OrganicSocial   = "Organic Social"
	PaidSocial      = "Paid Social"
	OrganicShopping = "Organic Shopping"
	PaidShopping    = "Paid Shopping"
	OrganicVideo    = "Organic Video"
	PaidVideo       = "Paid Video"
	Display         = "Display"
	Affiliates      = "Affiliates"
	Email           = "Email"
	SMS             = "SMS"
	MobilePush      = "Mobile Push"
	Audio           = "Audio"
	AIAssistant     = "AI Assistant"
	Referral        = "Referral"
	CrossNetwork    = "Cross-network"
	Unassigned      = "Unassigned"
)

// All are the channels in the order in which they are shown.
func All() []string {
	return []string{
		Direct, OrganicSearch, PaidSearch, OrganicSocial, PaidSocial, OrganicShopping, PaidShopping, OrganicVideo, PaidVideo, Display,
		Affiliates, Email, SMS, MobilePush, Audio, AIAssistant, Referral, CrossNetwork, Unassigned,
	}
}

// Hints are what is known of how somebody came.
type Hints struct {
	Source   string // as tagged, utm_source
	Medium   string // as tagged
	Campaign string // as tagged: its name
	Referrer string // host of another site in lower case; empty for none and for the shop's own
	Click    Click  // which advertiser's click id the address carried
}

// Origin is how somebody came. Source and Medium are in lower case; all are empty for Direct.
type Origin struct {
	Channel  string
	Source   string
	Medium   string
	Campaign string
}

// Click is the kind of a click id found in an address, by its parameter's name; empty for none.
type Click string

// clicks are what the parameters prove. Some (fbclid, srsltid) are added to unpaid links too, and so prove no payment.
var clicks = map[Click]struct{ source, medium string }{
	"gclid":     {"google", "cpc"},
	"gbraid":    {"google", "cpc"},
	"wbraid":    {"google", "cpc"},
	"dclid":     {"google", "display"},
	"msclkid":   {"bing", "cpc"},
	"yclid":     {"yandex", "cpc"},
	"ttclid":    {"tiktok", "cpc"},
	"twclid":    {"twitter", "cpc"},
	"li_fat_id": {"linkedin", "cpc"},
	"sccid":     {"snapchat", "cpc"},
	"rdt_cid":   {"reddit", "cpc"},
	"fbclid":    {"facebook.com", "referral"},
	"igshid":    {"instagram.com", "referral"},
	"epik":      {"pinterest.com", "referral"},
	"srsltid":   {"google", "organic"},
}

// ClickOf gives the Click of a query parameter's name, empty where it is none.
func ClickOf(parameter string) Click {
	if _, ok := clicks[Click(parameter)]; ok {
		return Click(parameter)
	}
	return ""
}

// Classify derives source and medium where the shop did not tag them, and sorts the visit into its channel.
func Classify(h Hints) Origin {
	o := Origin{Source: lower(h.Source), Medium: lower(h.Medium), Campaign: h.Campaign}
	tagged := o.Source != "" || o.Medium != "" || o.Campaign != ""
	if c, ok := clicks[h.Click]; ok && (o.Medium == "" || o.Source == "") && (c.medium == "cpc" || c.medium == "display" || !tagged && h.Referrer == "") {
		// A click id fills in what the tags leave out; one that proves no payment only where nothing else is known.
		if o.Source == "" {
			o.Source = c.source
		}
		if o.Medium == "" {
			o.Medium = c.medium
		}
		o.Channel = group(o, tagged)
		return o
	}
	if tagged {
		o.Channel = group(o, true)
		return o
	}
	if h.Referrer == "" {
		return Origin{Channel: Direct}
	}
	s, known := lookupHost(h.Referrer)
	o.Source, o.Medium = strings.TrimPrefix(h.Referrer, "www."), "referral"
	if known {
		if s.name != "" {
			o.Source = s.name
		}
		if s.kind == search {
			o.Medium = "organic"
		}
	}
	o.Channel = ofReferrer(s.kind)
	return o
}

// ofReferrer is the channel of an untagged visit: an unlisted site is a Referral, never Direct.
func ofReferrer(kind category) string {
	switch kind {
	case search:
		return OrganicSearch
	case social:
		return OrganicSocial
	case video:
		return OrganicVideo
	case shopping:
		return OrganicShopping
	case assistant:
		return AIAssistant
	case mail:
		return Email
	}
	return Referral
}

// group applies the rules in Google's order; the first that holds decides.
func group(o Origin, tagged bool) string {
	campaign := lower(o.Campaign)
	if (o.Source == "(direct)" || o.Source == "direct") && (o.Medium == "" || o.Medium == "(none)" || o.Medium == "(not set)") {
		return Direct
	}
	if strings.Contains(campaign, "cross-network") || o.Medium == "cross-network" {
		return CrossNetwork
	}
	kind := kindOf(o.Source)
	if paid(o.Medium) {
		if channel := paidGroup(o, kind, campaign); channel != "" {
			return channel
		}
	}
	switch o.Medium {
	case "display", "banner", "expandable", "interstitial", "cpm":
		return Display
	case "referral":
		if tagged {
			return Referral
		}
	}
	if paid(o.Medium) {
		return Unassigned
	}
	switch {
	case kind == assistant || o.Medium == "ai-assistant" || o.Medium == "ai_assistant":
		return AIAssistant
	case kind == shopping || shoppingCampaign(campaign):
		return OrganicShopping
	case kind == social || socialMedium(o.Medium):
		return OrganicSocial
	case kind == video || strings.Contains(o.Medium, "video"):
		return OrganicVideo
	case kind == search || o.Medium == "organic":
		return OrganicSearch
	}
	switch o.Medium {
	case "referral", "app", "link":
		return Referral
	}
	switch {
	case mailWord(o.Source) || mailWord(o.Medium) || kind == mail:
		return Email
	case o.Medium == "affiliate" || o.Medium == "affiliates":
		return Affiliates
	case o.Medium == "audio":
		return Audio
	case o.Source == "sms" || o.Medium == "sms":
		return SMS
	case strings.HasSuffix(o.Medium, "push") || strings.Contains(o.Medium, "mobile") || strings.Contains(o.Medium, "notification") || o.Source == "firebase":
		return MobilePush
	}
	return Unassigned
}

func mailWord(s string) bool {
	return s == "email" || s == "e-mail" || s == "e_mail" || s == "e mail"
}

// paid is Google's ^(.*cp.*|ppc|retargeting|paid.*)$.
func paid(medium string) bool {
	return strings.Contains(medium, "cp") || medium == "ppc" || medium == "retargeting" || strings.HasPrefix(medium, "paid")
}

// paidGroup is the paid channel that source, campaign or the medium's own words tell; empty where none of them does.
func paidGroup(o Origin, kind category, campaign string) string {
	switch {
	case kind == shopping || shoppingCampaign(campaign):
		return PaidShopping
	case kind == search:
		return PaidSearch
	case kind == social:
		return PaidSocial
	case kind == video:
		return PaidVideo
	}
	switch strings.NewReplacer("-", "", "_", "", " ", "").Replace(o.Medium) {
	case "paidsearch":
		return PaidSearch
	case "paidsocial":
		return PaidSocial
	case "paidvideo":
		return PaidVideo
	case "paidshopping":
		return PaidShopping
	}
	return ""
}

// shoppingCampaign is Google's ^(.*(([^a-df-z]|^)shop|shopping).*)$: "shop" not after a letter other than e, so that "workshop" is none.
func shoppingCampaign(campaign string) bool {
	for rest, before := campaign, byte(0); ; {
		i := strings.Index(rest, "shop")
		if i < 0 {
			return false
		}
		if i > 0 {
			before = rest[i-1]
		}
		if before < 'a' || before > 'z' || before == 'e' || strings.HasPrefix(rest[i:], "shopping") {
			return true
		}
		before, rest = 'p', rest[i+len("shop"):]
	}
}

func socialMedium(medium string) bool {
	switch medium {
	case "social", "social-network", "social-media", "sm", "social network", "social media", "social_network", "social_media":
		return true
	}
	return false
}

// lower is strings.ToLower without spaces around; it does not allocate where nothing changes.
func lower(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

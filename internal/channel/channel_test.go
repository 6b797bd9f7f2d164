package channel

import (
	"regexp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestClassify(t *testing.T) {
	tagged := func(source, medium, campaign string) Hints {
		return Hints{Source: source, Medium: medium, Campaign: campaign}
	}
	from := func(host string) Hints { return Hints{Referrer: host} }
	for _, c := range []struct {
		in      Hints
		channel string
		source  string
		medium  string
	}{
		// Nothing known.
		{Hints{}, Direct, "", ""},
		{tagged("(direct)", "(none)", ""), Direct, "(direct)", "(none)"},
		{tagged("(direct)", "(not set)", ""), Direct, "(direct)", "(not set)"},
		{tagged("direct", "", ""), Direct, "direct", ""},
		{tagged("direct", "banner", ""), Display, "direct", "banner"},

		// Referrers without tags: an unlisted one is a Referral, never Direct.
		{from("www.google.com"), OrganicSearch, "google", "organic"},
		{from("www.google.be"), OrganicSearch, "google", "organic"},
		{from("www.google.co.uk"), OrganicSearch, "google", "organic"},
		{from("google.com.au"), OrganicSearch, "google", "organic"},
		{from("com.google.android.googlequicksearchbox"), OrganicSearch, "google", "organic"},
		{from("www.bing.com"), OrganicSearch, "bing", "organic"},
		{from("be.search.yahoo.com"), OrganicSearch, "yahoo", "organic"},
		{from("duckduckgo.com"), OrganicSearch, "duckduckgo", "organic"},
		{from("www.ecosia.org"), OrganicSearch, "ecosia", "organic"},
		{from("www.qwant.com"), OrganicSearch, "qwant", "organic"},
		{from("search.brave.com"), OrganicSearch, "brave", "organic"},
		{from("brave.com"), Referral, "brave.com", "referral"},
		{from("l.facebook.com"), OrganicSocial, "l.facebook.com", "referral"},
		{from("t.co"), OrganicSocial, "twitter.com", "referral"},
		{from("out.reddit.com"), OrganicSocial, "out.reddit.com", "referral"},
		{from("www.pinterest.co.uk"), OrganicSocial, "pinterest.co.uk", "referral"},
		{from("com.linkedin.android"), OrganicSocial, "linkedin.com", "referral"},
		{from("m.youtube.com"), OrganicVideo, "m.youtube.com", "referral"},
		{from("youtu.be"), OrganicVideo, "youtube.com", "referral"},
		{from("www.amazon.de"), OrganicShopping, "amazon.de", "referral"},
		{from("www.bol.com"), OrganicShopping, "bol.com", "referral"},
		{from("shopping.google.com"), OrganicShopping, "google", "referral"},
		{from("chatgpt.com"), AIAssistant, "chatgpt.com", "referral"},
		{from("chat.openai.com"), AIAssistant, "chatgpt.com", "referral"},
		{from("www.perplexity.ai"), AIAssistant, "perplexity.ai", "referral"},
		{from("gemini.google.com"), AIAssistant, "gemini.google.com", "referral"},
		{from("copilot.microsoft.com"), AIAssistant, "copilot.microsoft.com", "referral"},
		{from("mail.google.com"), Email, "mail.google.com", "referral"},
		{from("com.google.android.gm"), Email, "mail.google.com", "referral"},
		{from("outlook.live.com"), Email, "outlook.live.com", "referral"},
		{from("docs.google.com"), Referral, "docs.google.com", "referral"},
		{from("blog.example"), Referral, "blog.example", "referral"},
		{from("www.blog.example"), Referral, "blog.example", "referral"},

		// Whole names only: parts of words and of domains prove nothing.
		{from("notgoogle.com"), Referral, "notgoogle.com", "referral"},
		{from("google.com.evil.example"), Referral, "google.com.evil.example", "referral"},
		{from("google.uk.com"), Referral, "google.uk.com", "referral"},
		{from("com"), Referral, "com", "referral"},
		{from("co.uk"), Referral, "co.uk", "referral"},
		{from("google"), Referral, "google", "referral"},
		{from("google.co"), OrganicSearch, "google", "organic"},
		{from("ebay.com.au"), OrganicShopping, "ebay.com.au", "referral"},
		{from("google.shop"), Referral, "google.shop", "referral"},
		{from("google.github.io"), Referral, "google.github.io", "referral"},
		{from("netflix.com.br.example"), Referral, "netflix.com.br.example", "referral"},
		{from("fax.com"), Referral, "fax.com", "referral"}, // ends in x.com
		{from("mybing.com"), Referral, "mybing.com", "referral"},
		{tagged("said", "said", "aid=paid"), Unassigned, "said", "said"},
		{tagged("newsletter", "prepaid", ""), Unassigned, "newsletter", "prepaid"},
		{tagged("shop", "web", "workshop"), Unassigned, "shop", "web"},

		// Tagged without pay: a search engine's name alone is no advertisement.
		{tagged("google", "", ""), OrganicSearch, "google", ""},
		{tagged("google", "organic", ""), OrganicSearch, "google", "organic"},
		{tagged("anything", "organic", ""), OrganicSearch, "anything", "organic"},
		{tagged("facebook", "social", "spring"), OrganicSocial, "facebook", "social"},
		{tagged("Instagram", "Bio", ""), OrganicSocial, "instagram", "bio"},
		{tagged("somewhere", "social-media", ""), OrganicSocial, "somewhere", "social-media"},
		{tagged("somewhere", "sm", ""), OrganicSocial, "somewhere", "sm"},
		{tagged("youtube", "description", ""), OrganicVideo, "youtube", "description"},
		{tagged("somewhere", "video-post", ""), OrganicVideo, "somewhere", "video-post"},
		{tagged("etsy", "listing", ""), OrganicShopping, "etsy", "listing"},
		{tagged("somewhere", "link", "summer shop"), OrganicShopping, "somewhere", "link"},
		{tagged("chatgpt.com", "", ""), AIAssistant, "chatgpt.com", ""},
		{tagged("somewhere", "app", ""), Referral, "somewhere", "app"},
		{tagged("partner.example", "link", ""), Referral, "partner.example", "link"},
		{tagged("newsletter", "email", "may"), Email, "newsletter", "email"},
		{tagged("newsletter", "e-mail", ""), Email, "newsletter", "e-mail"},
		{tagged("E mail", "x", ""), Email, "e mail", "x"},
		{tagged("partner", "affiliate", ""), Affiliates, "partner", "affiliate"},
		{tagged("station", "audio", ""), Audio, "station", "audio"},
		{tagged("sms", "x", ""), SMS, "sms", "x"},
		{tagged("spring", "sms", ""), SMS, "spring", "sms"},
		{tagged("app", "web-push", ""), MobilePush, "app", "web-push"},
		{tagged("app", "mobile", ""), MobilePush, "app", "mobile"},
		{tagged("firebase", "x", ""), MobilePush, "firebase", "x"},
		{tagged("flyer", "qr", "june"), Unassigned, "flyer", "qr"},
		{tagged("", "", "june"), Unassigned, "", ""},

		// The shop's own referral programme, wherever the link stood.
		{tagged("ambassador", "referral", ""), Referral, "ambassador", "referral"},
		{tagged("facebook", "referral", "bring-a-friend"), Referral, "facebook", "referral"},
		{tagged("google", "referral", ""), Referral, "google", "referral"},
		{Hints{Source: "ambassador", Medium: "referral", Referrer: "l.facebook.com"}, Referral, "ambassador", "referral"},

		// Paid.
		{tagged("google", "cpc", ""), PaidSearch, "google", "cpc"},
		{tagged("GOOGLE", "CPC", ""), PaidSearch, "google", "cpc"},
		{tagged("bing", "ppc", ""), PaidSearch, "bing", "ppc"},
		{tagged("google", "cpm", ""), PaidSearch, "google", "cpm"},
		{tagged("facebook", "paid", ""), PaidSocial, "facebook", "paid"},
		{tagged("instagram", "paid_social", ""), PaidSocial, "instagram", "paid_social"},
		{tagged("linkedin.com", "cpc", ""), PaidSocial, "linkedin.com", "cpc"},
		{tagged("facebook", "retargeting", ""), PaidSocial, "facebook", "retargeting"},
		{tagged("somewhere", "paid-social", ""), PaidSocial, "somewhere", "paid-social"},
		{tagged("somewhere", "paidsearch", ""), PaidSearch, "somewhere", "paidsearch"},
		{tagged("youtube", "cpv", ""), PaidVideo, "youtube", "cpv"},
		{tagged("amazon", "cpc", ""), PaidShopping, "amazon", "cpc"},
		{tagged("google", "cpc", "Shopping BE"), PaidShopping, "google", "cpc"},
		{tagged("google", "cpc", "workshop"), PaidSearch, "google", "cpc"},
		{tagged("google", "cpc", "PMax cross-network"), CrossNetwork, "google", "cpc"},
		{tagged("somewhere", "display", ""), Display, "somewhere", "display"},
		{tagged("somewhere", "banner", ""), Display, "somewhere", "banner"},
		{tagged("somewhere", "cpm", ""), Display, "somewhere", "cpm"},
		{tagged("somewhere", "cpc", ""), Unassigned, "somewhere", "cpc"}, // Google: Paid Other
		{Hints{Source: "google", Medium: "cpc", Referrer: "www.bing.com"}, PaidSearch, "google", "cpc"},

		// Click ids.
		{Hints{Click: "gclid"}, PaidSearch, "google", "cpc"},
		{Hints{Click: "gclid", Referrer: "www.google.com"}, PaidSearch, "google", "cpc"},
		{Hints{Click: "gbraid", Campaign: "spring"}, PaidSearch, "google", "cpc"},
		{Hints{Click: "gclid", Source: "google"}, PaidSearch, "google", "cpc"},
		{Hints{Click: "gclid", Source: "news", Medium: "email"}, Email, "news", "email"},
		{Hints{Click: "dclid"}, Display, "google", "display"},
		{Hints{Click: "msclkid"}, PaidSearch, "bing", "cpc"},
		{Hints{Click: "ttclid"}, PaidSocial, "tiktok", "cpc"},
		{Hints{Click: "li_fat_id"}, PaidSocial, "linkedin", "cpc"},
		{Hints{Click: "fbclid"}, OrganicSocial, "facebook.com", "referral"}, // on unpaid links too
		{Hints{Click: "fbclid", Referrer: "blog.example"}, Referral, "blog.example", "referral"},
		{Hints{Click: "fbclid", Source: "news", Medium: "email"}, Email, "news", "email"},
		{Hints{Click: "srsltid"}, OrganicSearch, "google", "organic"},
	} {
		got := Classify(c.in)
		if got.Channel != c.channel || got.Source != c.source || got.Medium != c.medium {
			t.Errorf("Classify(%+v) = %+v, want %s, %q, %q", c.in, got, c.channel, c.source, c.medium)
		}
	}
}

func TestClickOf(t *testing.T) {
	for in, want := range map[string]Click{"gclid": "gclid", "fbclid": "fbclid", "utm_source": "", "xgclid": "", "": ""} {
		if got := ClickOf(in); got != want {
			t.Errorf("ClickOf(%q) = %q", in, got)
		}
	}
}

// The hand-written forms of Google's two regular expressions agree with them.
func TestExpressionsOfTheSource(t *testing.T) {
	isPaid := regexp.MustCompile(`^(.*cp.*|ppc|retargeting|paid.*)$`)
	isShopping := regexp.MustCompile(`^(.*(([^a-df-z]|^)shop|shopping).*)$`)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`(a|e|s|cp|ppc|paid|retargeting|shop|ping|-| ){0,5}`).Draw(t, "s")
		if got, want := paid(s), isPaid.MatchString(s); got != want {
			t.Fatalf("paid(%q) = %v", s, got)
		}
		if got, want := shoppingCampaign(s), isShopping.MatchString(s); got != want {
			t.Fatalf("shoppingCampaign(%q) = %v", s, got)
		}
	})
}

func TestEveryAnswerIsAChannel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`(google|facebook|\.com|www\.|cpc|paid|-|referral|organic|shop|x|Ω| ){0,4}`)
		h := Hints{Source: word.Draw(t, "source"), Medium: word.Draw(t, "medium"), Campaign: word.Draw(t, "campaign"), Referrer: word.Draw(t, "referrer")}
		if got := Classify(h); !slices.Contains(All(), got.Channel) {
			t.Fatalf("Classify(%+v) = %+v", h, got)
		}
	})
}

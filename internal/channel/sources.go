package channel

import "strings"

// category is what kind of place a source is.
type category uint8

const (
	unlisted category = iota
	search
	social
	video
	shopping
	assistant
	mail
)

// site is one known place.
type site struct {
	kind category
	name string // source a visit from there gets when nothing says otherwise; empty: the host
}

// names are sources as shops write them into utm_source, which are no hosts.
var names = map[string]category{
	"google": search, "bing": search, "yahoo": search, "duckduckgo": search, "ddg": search, "ecosia": search, "qwant": search,
	"startpage": search, "yandex": search, "baidu": search, "brave": search, "kagi": search, "naver": search, "seznam": search,
	"adwords": search, "googleads": search, "google ads": search, "google-ads": search, "google_ads": search, "bingads": search, "microsoft-ads": search,

	"facebook": social, "fb": social, "meta": social, "instagram": social, "ig": social, "linkedin": social, "twitter": social, "x": social,
	"pinterest": social, "reddit": social, "tiktok": social, "snapchat": social, "whatsapp": social, "messenger": social, "threads": social,
	"mastodon": social, "bluesky": social, "tumblr": social, "telegram": social, "vk": social, "vkontakte": social, "quora": social, "nextdoor": social,
	"facebook_ads": social, "facebook-ads": social, "fb_ads": social, "fb-ads": social, "instagram_ads": social, "meta_ads": social, "meta-ads": social, "linkedin_ads": social, "tiktok_ads": social,

	"youtube": video, "vimeo": video, "twitch": video, "dailymotion": video, "youtube_ads": video,

	"google_shopping": shopping, "google-shopping": shopping, "googleshopping": shopping, "google shopping": shopping, "amazon": shopping, "ebay": shopping,
	"etsy": shopping, "bol": shopping, "beslist": shopping, "idealo": shopping, "kelkoo": shopping, "shopzilla": shopping, "pricerunner": shopping,
	"kieskeurig": shopping, "vergelijk": shopping, "tweakers": shopping, "2dehands": shopping, "marktplaats": shopping,

	"chatgpt": assistant, "openai": assistant, "perplexity": assistant, "claude": assistant, "gemini": assistant, "copilot": assistant,
	"mistral": assistant, "deepseek": assistant, "grok": assistant,
}

// hosts are known places by host; their sub-domains belong to them unless listed themselves.
var hosts = map[string]site{
	// Search engines.
	"duckduckgo.com": {search, "duckduckgo"}, "ecosia.org": {search, "ecosia"}, "qwant.com": {search, "qwant"}, "startpage.com": {search, "startpage"},
	"startpagina.nl": {search, "startpagina"}, "search.brave.com": {search, "brave"}, "kagi.com": {search, "kagi"}, "baidu.com": {search, "baidu"},
	"ya.ru": {search, "yandex"}, "naver.com": {search, "naver"}, "daum.net": {search, "daum"}, "seznam.cz": {search, "seznam"}, "sogou.com": {search, "sogou"},
	"so.com": {search, "so"}, "mojeek.com": {search, "mojeek"}, "swisscows.com": {search, "swisscows"}, "metager.de": {search, "metager"}, "metager.org": {search, "metager"},
	"aol.com": {search, "aol"}, "ask.com": {search, "ask"}, "dogpile.com": {search, "dogpile"}, "lilo.org": {search, "lilo"}, "presearch.com": {search, "presearch"},
	"you.com": {search, "you"}, "lycos.com": {search, "lycos"}, "excite.com": {search, "excite"}, "gibiru.com": {search, "gibiru"}, "coccoc.com": {search, "coccoc"},
	"rambler.ru": {search, "rambler"}, "search.t-online.de": {search, "t-online"}, "suche.web.de": {search, "web.de"}, "suche.gmx.net": {search, "gmx"}, "search.lilo.org": {search, "lilo"},
	"com.google.android.googlequicksearchbox": {search, "google"}, "com.duckduckgo.mobile.android": {search, "duckduckgo"},

	// Social networks.
	"facebook.com": {social, ""}, "fb.com": {social, "facebook.com"}, "fb.me": {social, "facebook.com"}, "messenger.com": {social, ""}, "instagram.com": {social, ""},
	"linkedin.com": {social, ""}, "lnkd.in": {social, "linkedin.com"}, "twitter.com": {social, ""}, "x.com": {social, ""}, "t.co": {social, "twitter.com"},
	"reddit.com": {social, ""}, "tiktok.com": {social, ""}, "snapchat.com": {social, ""}, "whatsapp.com": {social, ""}, "wa.me": {social, "whatsapp.com"},
	"threads.net": {social, ""}, "threads.com": {social, ""}, "bsky.app": {social, ""}, "mastodon.social": {social, ""}, "tumblr.com": {social, ""}, "t.me": {social, "telegram.org"},
	"telegram.org": {social, ""}, "vk.com": {social, ""}, "ok.ru": {social, ""}, "weibo.com": {social, ""}, "quora.com": {social, ""}, "nextdoor.com": {social, ""},
	"nextdoor.be": {social, ""}, "xing.com": {social, ""}, "discord.com": {social, ""}, "flickr.com": {social, ""}, "meetup.com": {social, ""}, "news.ycombinator.com": {social, ""},
	"pin.it": {social, "pinterest.com"}, "hoplr.com": {social, ""}, "strava.com": {social, ""}, "goodreads.com": {social, ""}, "ravelry.com": {social, ""},
	"com.linkedin.android": {social, "linkedin.com"}, "com.facebook.katana": {social, "facebook.com"}, "com.pinterest": {social, "pinterest.com"}, "org.telegram.messenger": {social, "telegram.org"},

	// Video.
	"youtube.com": {video, ""}, "youtu.be": {video, "youtube.com"}, "vimeo.com": {video, ""}, "twitch.tv": {video, ""}, "dailymotion.com": {video, ""}, "netflix.com": {video, ""},

	// Shopping sites.
	"shopping.google.com": {shopping, "google"}, "etsy.com": {shopping, ""}, "bol.com": {shopping, ""}, "beslist.nl": {shopping, ""}, "beslist.be": {shopping, ""},
	"kieskeurig.nl": {shopping, ""}, "kieskeurig.be": {shopping, ""}, "vergelijk.nl": {shopping, ""}, "vergelijk.be": {shopping, ""}, "pricewatch.tweakers.net": {shopping, ""},
	"2dehands.be": {shopping, ""}, "2ememain.be": {shopping, ""}, "marktplaats.nl": {shopping, ""}, "leguide.com": {shopping, ""}, "shop.app": {shopping, ""}, "walmart.com": {shopping, ""},
	"aliexpress.com": {shopping, ""}, "temu.com": {shopping, ""}, "cdiscount.com": {shopping, ""}, "fnac.com": {shopping, ""}, "billiger.de": {shopping, ""}, "geizhals.de": {shopping, ""}, "ladenzeile.de": {shopping, ""},

	// AI assistants.
	"chatgpt.com": {assistant, ""}, "chat.openai.com": {assistant, "chatgpt.com"}, "openai.com": {assistant, ""}, "perplexity.ai": {assistant, ""}, "claude.ai": {assistant, ""},
	"gemini.google.com": {assistant, ""}, "bard.google.com": {assistant, "gemini.google.com"}, "copilot.microsoft.com": {assistant, ""}, "chat.mistral.ai": {assistant, ""},
	"chat.deepseek.com": {assistant, ""}, "grok.com": {assistant, ""}, "meta.ai": {assistant, ""}, "poe.com": {assistant, ""}, "phind.com": {assistant, ""}, "notebooklm.google.com": {assistant, ""},

	// Mail read in the browser.
	"mail.google.com": {mail, ""}, "com.google.android.gm": {mail, "mail.google.com"}, "outlook.live.com": {mail, ""}, "outlook.office.com": {mail, ""}, "outlook.office365.com": {mail, ""},
	"mail.yahoo.com": {mail, ""}, "mail.proton.me": {mail, ""}, "mail.aol.com": {mail, ""}, "webmail.telenet.be": {mail, ""}, "webmail.proximus.be": {mail, ""}, "webmail.skynet.be": {mail, ""},
	"mail.zoho.com": {mail, ""}, "mail.zoho.eu": {mail, ""}, "deref-gmx.net": {mail, "gmx.net"}, "deref-web.de": {mail, "web.de"}, "navigator.gmx.net": {mail, "gmx.net"}, "laposte.net": {mail, ""},
	"mail.ru": {mail, ""}, "e.mail.ru": {mail, ""}, "mail.orange.fr": {mail, ""}, "webmail.ziggo.nl": {mail, ""}, "webmail.kpnmail.nl": {mail, ""}, "icloud.com": {mail, ""},

	// Not what their parent domain is.
	"docs.google.com": {unlisted, ""}, "drive.google.com": {unlisted, ""}, "sites.google.com": {unlisted, ""}, "accounts.google.com": {unlisted, ""}, "classroom.google.com": {unlisted, ""},
	"pay.google.com": {unlisted, ""}, "pay.amazon.com": {unlisted, ""}, "aws.amazon.com": {unlisted, ""}, "groups.google.com": {unlisted, ""},
}

// brands are places with a domain in many countries: brand.com, brand.be, brand.co.uk and so on.
var brands = map[string]site{
	"google": {search, "google"}, "bing": {search, "bing"}, "yahoo": {search, "yahoo"}, "yandex": {search, "yandex"},
	"amazon": {shopping, ""}, "ebay": {shopping, ""}, "idealo": {shopping, ""}, "kelkoo": {shopping, ""}, "pricerunner": {shopping, ""},
	"pinterest": {social, ""},
}

// lookupHost finds a place by its host, in lower case, without port: the most specific entry wins, whole labels only.
func lookupHost(host string) (site, bool) {
	for h := host; ; {
		if s, ok := hosts[h]; ok {
			return s, s.kind != unlisted
		}
		dot := strings.IndexByte(h, '.')
		if dot < 0 {
			break
		}
		h = h[dot+1:]
	}
	if s, ok := brands[nationalName(host)]; ok {
		return s, true
	}
	return site{}, false
}

// nationalName gives the name a brand would have registered: "google" of www.google.com, google.be, google.co.uk and google.com.au; empty under
// suffixes anyone can buy such a name under (shop, xyz).
func nationalName(host string) string {
	rest, last, ok := cutLast(host)
	if !ok || last != "com" && last != "net" && len(last) != 2 {
		return ""
	}
	before, name, ok := cutLast(rest)
	if !ok {
		return rest
	}
	switch name {
	case "co", "com", "org", "ne", "or":
		if len(last) == 2 {
			if _, name, ok = cutLast(before); !ok {
				return before
			}
		}
	}
	return name
}

// cutLast divides "www.google" into "www" and "google".
func cutLast(s string) (before, last string, found bool) {
	if dot := strings.LastIndexByte(s, '.'); dot >= 0 {
		return s[:dot], s[dot+1:], true
	}
	return "", s, false
}

// kindOf tells what kind of place a source is, be it a name or a host.
func kindOf(source string) category {
	if k, ok := names[source]; ok {
		return k
	}
	if strings.IndexByte(source, '.') >= 0 {
		s, _ := lookupHost(source)
		return s.kind
	}
	return unlisted
}

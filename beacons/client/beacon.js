/*
 * What an SDK brings along to report how it went: once for each page that loads it, and nothing of the visitor.
 *
 *   var beacon = headraceBeacon({url: 'https://cdn.example/v1/beacon', build: 'sdk@1.2.3', tenant: 'acme'});
 *   beacon.failed(error);   // the SDK caught an error of its own and can't go on
 *   beacon.dropped();       // what the SDK was to show is not shown
 *
 * `environment` is production unless it is named. The first that happens is reported, at once; a page without any of
 * them reports that the SDK has loaded, after ten seconds or when the page is left. Errors that nobody catches count
 * where the browser names one of the build's own files as their script, which it does for scripts of another site
 * only with `crossorigin`. It throws nothing, keeps nothing, and needs no more than ES5. What can't be sent is not.
 */
function headraceBeacon(options) {
  var settled = false;
  var timer;

  function installation() {
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    var text = btoa(String.fromCharCode.apply(null, bytes));
    return text.replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
  }

  // The collector keeps no such characters, and they could make the body too long for it.
  function plain(text, most) {
    return String(text || '').replace(/[^\n -~]/g, '\xb7').slice(0, most);
  }

  function described(error) {
    var kind = plain(error && error.name, 64);
    return {
      kind: /^[A-Za-z_$][\w$]*$/.test(kind) && !/\d{3}/.test(kind) ? kind : 'Error',
      message: plain(error && error.message !== undefined ? error.message : error, 500),
      stack: plain(error && error.stack, 2000)
    };
  }

  function send(body) {
    if (navigator.sendBeacon && navigator.sendBeacon(options.url, body)) return;
    var request = {method: 'POST', body: body, keepalive: true, mode: 'no-cors', credentials: 'omit'};
    fetch(options.url, request).then(null, function () {});
  }

  function settle(outcome, error) {
    if (settled) return;
    settled = true;
    try {
      clearTimeout(timer);
      removeEventListener('error', onError);
      removeEventListener('pagehide', onLoaded);
      document.removeEventListener('visibilitychange', onHidden);
      var one = {build: options.build, tenant: options.tenant, installation: installation(), outcome: outcome};
      if (options.environment) one.environment = options.environment;
      if (error) one.error = described(error);
      send(JSON.stringify({beacons: [one]}));
    } catch (_) {}
  }

  function onError(event) {
    if (String(event.filename).indexOf('/' + options.build + '/') < 0) return;
    settle('errored', event.error || {message: event.message});
  }

  function onLoaded() {
    settle('loaded');
  }

  function onHidden() {
    if (document.visibilityState === 'hidden') settle('loaded');
  }

  try {
    addEventListener('error', onError);
    addEventListener('pagehide', onLoaded);
    document.addEventListener('visibilitychange', onHidden);
    timer = setTimeout(onLoaded, 10000);
  } catch (_) {}

  return {
    failed: function (error) {
      settle('errored', error || {message: ''});
    },
    dropped: function () {
      settle('render-dropped');
    }
  };
}
